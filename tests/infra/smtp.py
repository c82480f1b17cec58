"""A mail server of the test's own on loopback: it keeps what it is given, and can be slow, strict, or cut lines."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import socket
import socketserver
import ssl
import threading
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Delivery:
    """One message as it came in."""

    sender: str
    recipients: list[str]
    raw: bytes
    encrypted: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)  # type: ignore[return-value]


class MailServer:
    """Listens while the `with` lasts. Set before a delivery:

    `refuse`: the code that answers a message instead of 250 · `lose_answer`: the message is kept, then the line is
    cut · `hold`: clear it, and a message is kept but answered only once it is set again · `silent`: connections
    are taken and never greeted · `certificate`: STARTTLS is offered, or, with `encrypted`, nothing is said in clear.
    """

    def __init__(self, port: int = 0) -> None:
        self.deliveries: list[Delivery] = []
        self.refuse: int | None = None
        self.lose_answer = self.silent = self.encrypted = False
        self.hold = threading.Event()
        self.hold.set()
        self.certificate: Path | None = None
        self.passwords: list[tuple[str, bool]] = []
        self._server = _Server(("127.0.0.1", port), _Session)
        self._server.owner = self
        self.port = self._server.server_address[1]
        self.url = f"smtp://127.0.0.1:{self.port}"

    def __enter__(self) -> MailServer:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    owner: MailServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no failure of the server's."""


class _Session(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.encrypted, self.user = False, None
        self.sender, self.recipients = "", []
        if self.server.owner.silent:
            self.rfile.readline()
            return
        if self.server.owner.encrypted:
            self._encrypt()
        self._say("220 tests ready")
        while line := self.rfile.readline(2000):
            verb, _, rest = line.decode("ascii").strip().partition(" ")
            if not self._answer(verb.upper(), rest):
                return

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # where it was encrypted, it is not the socket the server closes

    def _say(self, *lines: str) -> bool:
        for number, line in enumerate(lines):
            code, text = line[:3], line[4:]
            self.wfile.write(f"{code}{'-' if number < len(lines) - 1 else ' '}{text}\r\n".encode())
        return True

    def _answer(self, verb: str, rest: str) -> bool:
        """Whether the session goes on."""
        owner = self.server.owner
        match verb:
            case "EHLO" | "HELO":
                offers = ["STARTTLS"] if owner.certificate and not self.encrypted else []
                return self._say("250 tests", *(f"250 {offer}" for offer in [*offers, "AUTH PLAIN"]))
            case "STARTTLS":
                self._say("220 go on")
                self._encrypt()
            case "AUTH":
                self.user = base64.b64decode(rest.split()[1]).split(b"\0")[1].decode()
                owner.passwords.append((self.user, self.encrypted))
                return self._say("235 welcome")
            case "MAIL":
                self.sender, self.recipients = _address(rest), []
                return self._say("250 ok")
            case "RCPT":
                self.recipients.append(_address(rest))
                return self._say("250 ok")
            case "DATA":
                return self._take()
            case "QUIT":
                self._say("221 bye")
                return False
            case "RSET" | "NOOP":
                return self._say("250 ok")
            case _:
                return self._say("502 not known")
        return True

    def _take(self) -> bool:
        owner = self.server.owner
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if owner.refuse:
            return self._say(f"{owner.refuse} not now")
        owner.deliveries.append(
            Delivery(self.sender, self.recipients, b"".join(lines), self.encrypted, self.user)
        )
        owner.hold.wait(60)
        if owner.lose_answer:
            self.connection.shutdown(socket.SHUT_RDWR)
            return False
        return self._say("250 kept")

    def _encrypt(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(self.server.owner.certificate))
        self.request = self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.encrypted = True


def _address(rest: str) -> str:
    return rest[rest.index("<") + 1 : rest.index(">")]


def certificate(place: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, as a file at `place`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    place.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return place
