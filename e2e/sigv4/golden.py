"""Writes requests signed by botocore as golden input for wire/sigv4.

    python3 e2e/sigv4/golden.py > wire/sigv4/testdata/botocore.json

Time and credentials are fixed, so the file changes only with botocore.
"""

import base64
import datetime
import io
import json
import sys
import uuid
from urllib.parse import urlsplit

import botocore
import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials
from urllib3.util.url import _encode_target

NOW = datetime.datetime(2026, 9, 1, 12, 30, 45)
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaDmFwLW5v+token=="
PLAIN, SESSION = Credentials(KEY, SECRET), Credentials(KEY, SECRET, TOKEN)

botocore.auth.get_current_datetime = lambda remove_tzinfo=True: NOW
uuid.uuid4 = lambda: uuid.UUID(int=0x123456789ABC4DEF8123456789ABCDEF)

cases = []


def text(v):
    return v.decode() if isinstance(v, bytes) else str(v)


def record(name, request, token):
    """Notes the prepared request as urllib3 would put it on the wire."""
    parts = urlsplit(request.url)
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    headers = [[k, text(v)] for k, v in request.headers.items()]
    if not any(k.lower() == "host" for k, _ in headers):
        default = {"http": ":80", "https": ":443"}[parts.scheme]
        headers.insert(0, ["Host", parts.netloc.removesuffix(default)])
    body = request.body or b""
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, str):
        body = body.encode()
    cases.append(
        {
            "name": name,
            "method": request.method,
            "target": _encode_target(target),
            "headers": headers,
            "body": base64.b64encode(body).decode(),
            "token": token or "",
        }
    )


def signed(name, auth, service, url, credentials=PLAIN, method="GET", data=b"", headers=None, **options):
    """Signs with one of botocore's signers directly."""
    request = AWSRequest(method=method, url=url, data=data, headers=headers or {})
    auth(credentials, service, "ap-northeast-1", **options).add_auth(request)
    record(name, request.prepare(), credentials.token)


def signers():
    v4, query = botocore.auth.SigV4Auth, botocore.auth.SigV4QueryAuth
    s3, s3query = botocore.auth.S3SigV4Auth, botocore.auth.S3SigV4QueryAuth
    base = "http://localhost:4566"
    paths = ["/", "", "/a%20b", "/%E3%81%82/x", "/a%2Fb", "//double//slash", "/a/../b/./c", "/a/b/..", "/tilde~/-_.", "/%25/(x)", "/a+b=c:d@e,f;g!*'"]
    queries = ["a=1&b=2", "b=2&a=1", "a=2&a=1&a=", "empty=&flag", "sp=a%20b&uni=%E3%81%82", "s=%2Fx%3Dy%26z", "A=1&a=2&%C3%A9=3", "x=~-_.&y=%2B"]
    for auth, service in [(v4, "ecs"), (s3, "s3"), (query, "sts"), (s3query, "s3")]:
        for path in paths:
            if service == "s3" and not path:
                continue  # botocore signs an empty path for S3; nothing can be sent that has one
            signed(f"{auth.__name__} path {path!r}", auth, service, base + path)
        for q in queries:
            signed(f"{auth.__name__} query {q!r}", auth, service, base + "/p?" + q)
        for token_name, credentials in [("session", SESSION)]:
            signed(f"{auth.__name__} {token_name} token", auth, service, base + "/?q=1", credentials)
    for url in ["http://example.com:80/", "https://example.com:443/", "http://127.0.0.1:8080/", "http://[::1]:4566/"]:
        signed(f"host {url}", v4, "ecs", url)
    signed("odd headers", v4, "ecs", base + "/", headers={"X-Amz-Meta-A": "  two   spaces ", "X-Custom": "a,b", "X-Empty": ""})
    signed("post body", v4, "ecs", base + "/", method="POST", data=b'{"cluster":"\xe3\x81\x82"}', headers={"Content-Type": "application/x-amz-json-1.1"})
    signed("unsigned-looking body", v4, "logs", base + "/", method="POST", data=bytes(range(256)))


def clients():
    """Signs with whole clients, whatever each of them adds to a request."""
    calls = [
        ("ecs", "list_clusters", {"maxResults": 5}),
        ("ecs", "create_cluster", {"clusterName": "日本", "tags": [{"key": "k", "value": "v w"}]}),
        ("logs", "describe_log_groups", {"logGroupNamePrefix": "/ecs/a b"}),
        ("sts", "get_caller_identity", {}),
        ("sts", "assume_role", {"RoleArn": "arn:aws:iam::123456789012:role/r+w", "RoleSessionName": "s"}),
        ("iam", "get_role", {"RoleName": "a=b@c"}),
        ("ec2", "describe_vpcs", {"Filters": [{"Name": "tag:a", "Values": ["x y", "é"]}]}),
        ("elbv2", "describe_load_balancers", {}),
        ("cloudwatch", "put_metric_data", {"Namespace": "n" * 20, "MetricData": [{"MetricName": "m" * 200, "Value": 1.0}] * 60}),
        ("servicediscovery", "discover_instances", {"NamespaceName": "n", "ServiceName": "s"}),
        ("signer", "tag_resource", {"resourceArn": "arn:aws:signer:eu-west-1:123456789012:/signing-profiles/a_b", "tags": {"k": "é"}}),
        ("signer", "list_signing_profiles", {"statuses": ["Active", "Revoked"], "maxResults": 3}),
        ("s3", "list_objects_v2", {"Bucket": "bucket", "Prefix": "a b/é+"}),
        ("s3", "get_object", {"Bucket": "bucket", "Key": "dir//a b/../é+~$&=@:;,'().txt"}),
        ("s3", "put_object", {"Bucket": "bucket", "Key": "k", "Body": b"known body", "Metadata": {"a": "b  c"}}),
        ("s3", "put_object", {"Bucket": "bucket", "Key": "stream", "Body": io.BytesIO(b"streamed body")}),
    ]
    session = botocore.session.get_session()
    for service, operation, params in calls:
        for scheme in ("http", "https"):
            for credentials in (PLAIN, SESSION):
                client = session.create_client(
                    service, region_name="eu-west-1", endpoint_url=f"{scheme}://localhost:4566",
                    aws_access_key_id=KEY, aws_secret_access_key=SECRET, aws_session_token=credentials.token,
                    config=Config(user_agent="botocore-golden", retries={"max_attempts": 0}),
                )
                label = f"client {scheme} {service} {operation} token={bool(credentials.token)} {'stream' if 'stream' in str(params) else ''}"

                def capture(request, **_):
                    record(label.strip(), request, credentials.token)
                    return AWSResponse(request.url, 200, {}, io.BytesIO(b""))

                client.meta.events.register("before-send", capture)
                try:
                    getattr(client, operation)(**params)
                except Exception:  # the empty answer need not parse
                    pass
                body = params.get("Body")
                if hasattr(body, "seek"):
                    body.seek(0)


def main():
    signers()
    clients()
    json.dump(
        {"botocore": botocore.__version__, "now": NOW.strftime("%Y%m%dT%H%M%SZ"), "key": KEY, "secret": SECRET, "cases": cases},
        sys.stdout, indent=1, sort_keys=True,
    )
    print()


main()
