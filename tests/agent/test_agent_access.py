"""Who may ask what over HTTP: logins, tokens, ACLs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from doubles import MasterDouble, TargetDouble

from agent.acls import Acls
from agent.config import AgentConfig
from agent.errors import ConfigError
from agent.gateway import Gateway
from agent.http.jwt import TokenError, sign, verify
from agent.secrets import Credential

KEY = b"a key of the operator's"
OPS, GUEST = Credential("ops", "s:e cr€t"), Credential("guest", "other")
LOGINS = {each.principal: each for each in (OPS, GUEST)}


# -- tokens -----------------------------------------------------------------------------------------------


def test_the_token_of_rfc_7515_is_verified() -> None:
    """Appendix A.1: made by others, with line breaks in its header and claims."""
    key = base64.urlsafe_b64decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
    )
    token = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly"
        "9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    assert verify(token, key, now=1300819379)["iss"] == "joe"
    with pytest.raises(TokenError, match="expired"):
        verify(token, key, now=1300819380)


def unsigned(header: dict[str, Any], claims: Any, key: bytes | None) -> str:
    def part(data: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()

    text = f"{part(header)}.{part(claims)}"
    mac = hmac.new(key, text.encode(), hashlib.sha256).digest() if key else b""
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c.d",
        "é.é.é",
        sign({"sub": "ops"}, KEY)[:-2],
        sign({"sub": "ops"}, b"another key"),
        sign({"sub": "ops", "nbf": 1e12}, KEY),
        sign({"sub": "ops", "exp": "tomorrow"}, KEY),
        sign({"sub": "ops", "exp": True}, KEY),
        unsigned({"alg": "none", "typ": "JWT"}, {"sub": "ops"}, None),
        unsigned({"alg": "none", "typ": "JWT"}, {"sub": "ops"}, KEY),
        unsigned({"alg": "HS256", "typ": "JWT"}, ["ops"], KEY),
    ],
)
def test_other_tokens_are_not(token: str) -> None:
    with pytest.raises(TokenError):
        verify(token, KEY)
    assert verify(sign({"sub": "ops"}, KEY), KEY) == {"sub": "ops"}


# -- ACLs -------------------------------------------------------------------------------------------------


def acls(permissive: bool = True, **entries: list[tuple[Any, Any]]) -> Acls:
    def entity(data: Any) -> Any:
        return {"type": data} if isinstance(data, str) else {"values": data}

    things = {"view_flags": "flags", "view_tasks": "users", "get_endpoints": "paths", "view_roles": "roles"}
    text = {
        name: [{"principals": entity(who), things[name]: entity(what)} for who, what in listed]
        for name, listed in entries.items()
    }
    return Acls.parse(json.dumps({"permissive": permissive, **text}))


@pytest.mark.parametrize(
    ("entries", "permissive", "who", "thing", "allowed"),
    [
        ([], True, "a", "u", True),
        ([], False, "a", "u", False),
        ([(["a"], ["u"])], False, "a", "u", True),
        ([(["a"], ["u"])], False, "b", "u", False),
        ([(["a"], ["u"])], True, "b", "u", True),  # nothing matches
        ([(["a"], ["u"])], False, "a", "v", False),
        ([(["a"], "NONE")], True, "a", "u", False),
        ([("NONE", "ANY")], True, "a", "u", False),
        ([("ANY", ["u"])], False, "a", "u", True),
        ([("ANY", ["u"])], False, None, "u", True),
        ([(["a"], "ANY")], True, None, "u", True),  # the unknown caller matches like ANY, so not SOME
        ([(["a"], "ANY")], False, None, "u", False),
        ([(["a"], ["u"])], False, "a", None, False),
        ([(["a"], "ANY")], False, "a", None, True),
        ([(["a"], "ANY"), ("ANY", "NONE")], True, "a", "u", True),  # the first that matches
        ([(["a"], "ANY"), ("ANY", "NONE")], True, "b", "u", False),
    ],
)
def test_the_local_authorizers_rules(
    entries: list[tuple[Any, Any]], permissive: bool, who: str | None, thing: str | None, allowed: bool
) -> None:
    assert acls(permissive, view_tasks=entries).allow("view_tasks", who, thing) is allowed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[]", "no object"),
        ('{"permissive": "no"}', "permissive"),
        ('{"fly": []}', "no action 'fly'"),
        ('{"view_flags": {}}', "no list"),
        ('{"view_flags": [{"principals": {"type": "ANY"}}]}', "needs principals and flags"),
        ('{"view_flags": [{"principals": {"type": "SOMEONE"}, "flags": {"type": "ANY"}}]}', "an entity"),
        ('{"view_flags": [{"principals": {"values": [1]}, "flags": {"type": "ANY"}}]}', "an entity"),
        ('{"get_endpoints": [{"principals": {"type": "ANY"}, "paths": {"values": ["/state"]}}]}', "/state"),
    ],
)
def test_acls_that_make_no_sense_are_told(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match="The ACLs make no sense") as caught:
        Acls.parse(text)
    assert words in str(caught.value)


def test_the_masters_entries_in_the_same_file_are_no_error() -> None:
    assert Acls.parse('{"register_frameworks": [{"principals": {"type": "ANY"}, "roles": {"type": "ANY"}}]}')


# -- the gate -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def served(**more: Any) -> AsyncIterator[str]:
    """The URL of an agent with these settings."""
    config = AgentConfig(registration_backoff=0.02, **more)
    async with MasterDouble() as master, Gateway(master.address, [TargetDouble()], config) as gateway:
        ip, port = gateway.addresses[0]
        yield f"http://{ip}:{port}"


def basic(credential: Credential, secret: str | None = None) -> dict[str, str]:
    text = f"{credential.principal}:{credential.secret if secret is None else secret}"
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def bearer(**claims: Any) -> dict[str, str]:
    return {"Authorization": "Bearer " + sign(claims, KEY)}


async def get(url: str, headers: dict[str, str] | None = None) -> tuple[int, list[str], Any]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as reply:
        text = await reply.text()
        content = json.loads(text) if reply.status == 200 and text else text
        return reply.status, reply.headers.getall("WWW-Authenticate", []), content


async def test_nothing_is_asked_of_anybody_unless_wanted() -> None:
    async with served(http_credentials=LOGINS) as url:
        assert (await get(f"{url}/slave(1)/state"))[0] == 200


async def test_a_login_is_needed_where_the_operator_says_so() -> None:
    async with served(http_credentials=LOGINS, authenticate_http_readonly=True) as url:
        status, challenge, _ = await get(f"{url}/slave(1)/state")
        assert (status, challenge) == (401, ['Basic realm="mesos-agent-readonly"'])
        assert (await get(f"{url}/slave(1)/state", basic(OPS)))[0] == 200
        for wrong in (
            *(basic(OPS, "guess"), basic(OPS, ""), basic(Credential("nobody", ""))),
            *({"Authorization": "Basic %%%"}, {"Authorization": "Basic"}, {"Authorization": "Digest x"}),
            bearer(sub="ops"),  # there is no key
        ):
            assert (await get(f"{url}/slave(1)/state", wrong))[0] == 401
        for path in ("/state", "/flags", "/metrics/snapshot", "/slave(1)/flags", "/slave(9)/state"):
            assert (await get(f"{url}{path}"))[0] in (401, 404)
        for path in ("/slave(1)/health", "/version"):
            assert (await get(f"{url}{path}"))[0] == 200  # as on a native agent: nothing to tell


async def test_tokens_log_in_too() -> None:
    wanted = {"authenticate_http_readonly": True, "jwt_secret_key": KEY}
    async with served(http_credentials=LOGINS, **wanted) as url:
        status, challenge, _ = await get(f"{url}/state")
        assert challenge == [
            'Basic realm="mesos-agent-readonly"',
            'Bearer realm="mesos-agent-readonly"',
        ]
        assert (await get(f"{url}/state", bearer(sub="ops")))[0] == 200
        assert (await get(f"{url}/state", basic(GUEST)))[0] == 200
        status, challenge, _ = await get(f"{url}/state", bearer(sub="ops", exp=1))
        assert status == 401
        assert 'error_description="Token has expired"' in challenge[1]


async def test_acls_decide_over_endpoints_and_contents() -> None:
    rules = acls(
        False,
        view_flags=[(["ops"], "ANY")],
        get_endpoints=[(["ops"], ["/metrics/snapshot"])],
    )
    wanted = {"http_credentials": LOGINS, "authenticate_http_readonly": True}
    async with served(acls=rules, **wanted) as url:
        assert (await get(f"{url}/metrics/snapshot", basic(GUEST)))[0] == 403
        assert (await get(f"{url}/slave(1)/metrics/snapshot", basic(GUEST)))[0] == 403
        assert (await get(f"{url}/metrics/snapshot", basic(OPS)))[0] == 200
        assert "port" in (await get(f"{url}/flags", basic(OPS)))[2]["flags"]
        refused = await get(f"{url}/flags", basic(GUEST))
        assert refused[0] == 403 or refused[2]["flags"] == {}


async def test_secrets_are_in_no_answer() -> None:
    given = {"credential": "/etc/mma/credential"}
    config = {"http_credentials": LOGINS, "credential": OPS, "jwt_secret_key": KEY, "given": given}
    async with served(**config) as url:
        flags = (await get(f"{url}/flags"))[2]["flags"]
        assert flags["credential"] == "/etc/mma/credential"
        assert flags["authenticate_http_readonly"] == "false"
        for path in ("/flags", "/state"):
            text = json.dumps((await get(f"{url}{path}"))[2], ensure_ascii=False)
            assert OPS.secret not in text
            assert KEY.decode() not in text
    assert OPS.secret not in repr(AgentConfig(credential=OPS, http_credentials=LOGINS))
    assert KEY.decode() not in repr(AgentConfig(jwt_secret_key=KEY))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"authenticate_http_readwrite": True}, "--http_credentials"),
        ({"authenticate_http_executors": True, "http_credentials": LOGINS}, "--jwt_secret_key"),
    ],
)
def test_a_login_that_nobody_could_pass_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Gateway("127.0.0.1:5050", (), AgentConfig(**more))
