# A hub for one repository, on loopback: what huggingface_hub asks for when it downloads a snapshot. Large files have the
# SHA-256 of their content as name in the cache, small ones git's hash, as on the real one.

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1 << 20


def blob_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def etag(content):
    return hashlib.sha256(content).hexdigest() if len(content) >= LARGE else blob_id(content)


def entry(path, content):
    result = {"type": "file", "path": path, "size": len(content), "oid": blob_id(content)}
    if len(content) >= LARGE:
        result["lfs"] = {"oid": etag(content), "size": len(content), "pointerSize": 134}
    return result


@contextmanager
def hub(repository, files):
    """Serves `files` (path: bytes) as `repository` at its branch `main`; gives the address and the files that it has sent."""
    sent = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.do_GET(body=False)

        def do_GET(self, body=True):
            path = self.path.partition("?")[0]
            api, name = f"/api/models/{repository}", path.removeprefix(f"/{repository}/resolve/{COMMIT}/")
            if path == f"{api}/revision/main":
                self.answer({"id": repository, "sha": COMMIT, "private": False}, body)
            elif path == f"{api}/tree/{COMMIT}":
                self.answer([entry(*item) for item in files.items()], body)
            elif name in files:
                sent.extend([name] if body else [])
                self.send(files[name], {"ETag": f'"{etag(files[name])}"', "Accept-Ranges": "bytes"}, body)
            else:
                self.send_error(404, f"unknown: {self.path}")

        def answer(self, value, body):
            self.send(json.dumps(value).encode(), {"Content-Type": "application/json"}, body)

        def send(self, content, headers, body):
            self.send_response(200)
            for header in {"X-Repo-Commit": COMMIT, "Content-Length": str(len(content)), **headers}.items():
                self.send_header(*header)
            self.end_headers()
            if body:
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()
