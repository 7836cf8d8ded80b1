"""An S3 store with one bucket and one user, over http and https, until its input ends.

A third port gets, puts and deletes objects for anybody, behind the users' backs. Prints ports, the user's keys and the file with its certificate, for localhost, as JSON.
"""

import datetime
import json
import os
import socket
import ssl
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto import settings
from moto.server import ThreadedMotoServer


def user(endpoint):
    """A bucket, and a user who may do all there."""
    made = dict(region_name="eu-test-1", aws_access_key_id="a", aws_secret_access_key="b", endpoint_url=endpoint)
    boto3.client("s3", **made).create_bucket(
        Bucket="witness", CreateBucketConfiguration={"LocationConstraint": "eu-test-1"}
    )
    iam = boto3.client("iam", **made)
    iam.create_user(UserName="node")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="node", PolicyName="all", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="node")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def certificate(path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    with open(path, "wb") as file:
        file.write(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    with open(path + ".key", "wb") as file:
        form = serialization.PrivateFormat.PKCS8
        file.write(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def https(path, port):
    """Ends TLS before the store; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, path + ".key")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            plain, _ = listener.accept()
            try:
                client = context.wrap_socket(plain, server_side=True)
                server = socket.create_connection(("127.0.0.1", port))
            except OSError:
                continue
            for pair in ((client, server), (server, client)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def behind(endpoint, access, secret):
    """Changes objects with the user's own signatures; gives its port."""
    names = dict(aws_access_key_id=access, aws_secret_access_key=secret, endpoint_url=endpoint)
    s3 = boto3.client("s3", region_name="eu-test-1", **names)

    class Handler(BaseHTTPRequestHandler):
        def reply(self, body=b""):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.reply(s3.get_object(Bucket="witness", Key=self.path[1:])["Body"].read())

        def do_PUT(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            s3.put_object(Bucket="witness", Key=self.path[1:], Body=body)
            self.reply()

        def do_DELETE(self):
            s3.delete_object(Bucket="witness", Key=self.path[1:])
            self.reply()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    endpoint = f"http://127.0.0.1:{port}"
    access, secret = user(endpoint)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "certificate")
        certificate(path)
        # From now on each request is checked.
        settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
        said = {"http": port, "https": https(path, port), "behind": behind(endpoint, access, secret)}
        said |= {"access": access, "secret": secret, "certificate": path}
        print(json.dumps(said), flush=True)
        sys.stdin.read()
    os._exit(0)


main()
