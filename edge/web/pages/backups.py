"""Backup and restore on the page of the box: one file to save, and one to send back."""

import tempfile
from datetime import datetime
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from edge.backup.contents import BackupManifest, RestoreReport
from edge.errors import WhosthereError
from edge.web.box import WebBox
from edge.web.page import post, text_of
from edge.web.programs import run_whosthere
from edge.web.templating import render
from edge.web.uploads import Uploads

MAX_BYTES = 300_000_000


async def backup(request: Request, form: FormData) -> Response:
    """All that the box has learned, to save."""
    box: WebBox = request.app.state.box
    passphrase = text_of(form, "passphrase")
    if passphrase != text_of(form, "again"):
        raise HTTPException(422, "the two passphrases differ")
    content = await made(box, passphrase)
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
    keep = text_of(form, "keep_config") == "yes"
    report = await restored(box, file, text_of(form, "passphrase"), keep_config=keep)
    return render(request, "restored.html", report=report)


async def made(box: WebBox, passphrase: str) -> bytes:
    """A backup, made by the command: ZIP and encryption take memory. Raises WhosthereError and HTTPException."""
    with tempfile.TemporaryDirectory(prefix="whosthere-backup-") as folder:
        file = Path(folder) / "box.whb"
        words = ["--json", "--config", str(box.config_path), *_secret(Path(folder), passphrase)]
        (await run_whosthere("backup", str(file), *words)).report(BackupManifest)
        return await run_in_threadpool(file.read_bytes)


async def restored(box: WebBox, file: UploadFile, passphrase: str, *, keep_config: bool) -> RestoreReport:
    """Replace what this box knows with a backup. Raises HTTPException, and then nothing has changed."""
    upload = await Uploads(box.folder / "uploads").take([file])
    try:
        [sent] = upload.photos
        words = ["--yes", "--json", "--config", str(box.config_path), *_secret(upload.folder, passphrase)]
        done = await run_whosthere("restore", str(sent), *words, *["--keep-config"] * keep_config)
        return done.report(RestoreReport)
    except WhosthereError as error:
        text = str(error).replace(str(sent), "the file")
        raise HTTPException(422, f"Nothing was restored. {text}") from error
    finally:
        upload.remove()


def _secret(folder: Path, passphrase: str) -> list[str]:
    """The words by which a command learns the passphrase, which other programs must not see. Raises HTTPException."""
    if not passphrase:
        return []
    if "\n" in passphrase or "\r" in passphrase:
        raise HTTPException(422, "passphrase: found several lines; allowed: one")
    file = folder / "passphrase"
    file.write_text(passphrase, encoding="utf-8")
    return ["--passphrase-file", str(file)]


ROUTES = (
    post("/box/backup", backup),
    post("/box/restore", restore, max_bytes=MAX_BYTES, max_files=1),
)
