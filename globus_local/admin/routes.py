"""The admin surface: JSON in, JSON out, under `/admin/` and behind the admin token (`middleware.guard_admin`)."""

from aiohttp import web

from globus_local.admin import behaviour, records, tokens
from globus_local.cloud import Cloud


def add_routes(app: web.Application, cloud: Cloud) -> None:  # noqa: ARG001  (every part is plugged in alike)
    """Plug the admin surface in."""
    router = app.router
    router.add_post("/admin/records", records.post_records)
    router.add_get("/admin/records", records.get_records)
    router.add_put("/admin/groups/{group_id}/members", records.put_member)
    router.add_delete("/admin/groups/{group_id}/members/{identity_id}", records.delete_member)
    router.add_post("/admin/reset", records.post_reset)
    router.add_post("/admin/tokens", tokens.post_token)
    router.add_post("/admin/tokens/revoke", tokens.post_revoke)
    router.add_patch("/admin/settings", behaviour.patch_settings)
    router.add_get("/admin/settings", behaviour.get_settings)
    router.add_post("/admin/faults", behaviour.post_fault)
    router.add_get("/admin/faults", behaviour.get_faults)
    router.add_delete("/admin/faults", behaviour.delete_faults)
    router.add_delete("/admin/faults/{fault_id}", behaviour.delete_fault)
    router.add_patch("/admin/faults/compute", behaviour.patch_compute_faults)
    router.add_patch("/admin/faults/rate-limit", behaviour.patch_rate_limit)
    router.add_get("/admin/ledger", behaviour.get_ledger)
    router.add_delete("/admin/ledger", behaviour.delete_ledger)
