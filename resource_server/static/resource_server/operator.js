// Sends the forms of the operator API's pages as JSON, with the version of the row that the page shows.
"use strict";

const HERE = location.pathname.replace(/\/?$/, "/");

for (const form of document.querySelectorAll("form[data-method]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}

async function send(form) {
  const { method, version } = form.dataset;
  const said = form.querySelector("[role=alert]");
  if (method === "DELETE" && !confirm("Delete this?")) {
    return;
  }
  const headers = {
    Accept: "application/json",
    "X-CSRFToken": form.querySelector("[name=csrfmiddlewaretoken]").value,
  };
  if (version) {
    headers["If-Match"] = `"${version}"`;
  }
  const body = form.querySelector("textarea")?.value;
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  said.textContent = "";
  try {
    const response = await fetch(HERE, { method, headers, body, credentials: "same-origin" });
    if (response.ok) {
      location.assign(method === "DELETE" ? new URL("..", location.origin + HERE) : location.href);
    } else {
      said.textContent = (await response.json()).error.message;
    }
  } catch {
    said.textContent = "No usable answer: the gateway is away, or your session has ended. Load the page again.";
  }
}
