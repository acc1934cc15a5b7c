from aiohttp import web

from globus_local.errors import bad_request


async def read_form(request: web.Request) -> dict[str, str]:
    """The fields of a form body; of repeated ones the first.

    Raises:
        ServiceError: 400 if a file was sent.
    """
    form = await request.post()
    fields: dict[str, str] = {}
    for name, value in form.items():
        if not isinstance(value, str):
            raise bad_request(f"{name} must be text")
        fields.setdefault(name, value)
    return fields


def split_list(text: str) -> list[str]:
    """The parts of a comma-separated list, in order, empty ones left out."""
    return [part.strip() for part in text.split(",") if part.strip()]
