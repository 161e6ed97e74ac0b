"""Backup and restore on the page of the box: one file to save, and one to send back."""

from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from edge.backup.making import make_backup
from edge.backup.restoring import RestoreReport, restore_backup
from edge.errors import WhosthereError
from edge.web.box import WebBox
from edge.web.page import post, text_of
from edge.web.templating import render

MAX_BYTES = 300_000_000


async def backup(request: Request, form: FormData) -> Response:
    """All that the box has learned, to save."""
    box: WebBox = request.app.state.box
    passphrase = text_of(form, "passphrase")
    if passphrase != text_of(form, "again"):
        raise HTTPException(422, "the two passphrases differ")
    content, _ = await run_in_threadpool(make_backup, box.loaded, box.config_path, passphrase or None)
    name = f"{box.loaded.device_id}-{datetime.now().astimezone():%Y%m%d}.whb"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/octet-stream", headers=headers)


async def restore(request: Request, form: FormData) -> Response:
    """Put a saved file in the place of what this box knows."""
    box: WebBox = request.app.state.box
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.size:
        raise HTTPException(422, "choose the file of a backup")
    if text_of(form, "sure") != "yes":
        raise HTTPException(422, "nothing was restored: confirm that this box is overwritten")
    content = await file.read()
    keep, passphrase = text_of(form, "keep_config") == "yes", text_of(form, "passphrase") or None
    report = await run_in_threadpool(lambda: restored(box, content, passphrase, keep_config=keep))
    return render(request, "restored.html", report=report)


def restored(box: WebBox, content: bytes, passphrase: str | None, *, keep_config: bool) -> RestoreReport:
    """Put a backup in the place of what this box knows. Raises HTTPException, and then nothing has changed."""
    try:
        return restore_backup(content, "the file", box.config_path, passphrase, keep_config=keep_config)
    except WhosthereError as error:
        raise HTTPException(422, f"Nothing was restored. {error}") from error


ROUTES = (
    post("/box/backup", backup),
    post("/box/restore", restore, max_bytes=MAX_BYTES, max_files=1),
)
