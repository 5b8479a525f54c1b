"""What a reply code means for the operator: which error it is, and which key of the file to look at."""

from parsers.rets.reply import Reply, Verdict, stops_feed
from service.errors import RetryLater, ServiceError, StopFeed

_KEYS = {
    20003: "the account's balance is zero: ask the provider",
    20012: "the provider wants a broker code: ask them for an account that needs none",
    20013: "the provider wants a broker code: ask them for an account that needs none",
    20022: "another session of this account is open; it ends by itself",
    20036: "check {feed}.username, {feed}.password_env and {feed}.rets_version",
    20037: "check {feed}.user_agent and {feed}.user_agent_password_env",
    20041: "set {feed}.user_agent_password_env",
    20200: "check the field names in {feed}.query and {feed}.keys_query",
    20202: "check the names in {feed}.fields",
    20206: "check {feed}.query, {feed}.keys_query and {feed}.since_format",
    20207: "check whether this account may use {feed}.query",
    20400: "check {feed}.resource",
    20401: "check {feed}.object_types; if the server has no photos by GetObject, no type will do",
    20601: "check {feed}.search_format and {feed}.rets_version",
}

_BY_VERDICT = {
    Verdict.STOP_ACCOUNT: "check {feed}.username and {feed}.password_env",
    Verdict.STOP_CONFIGURATION: "check {feed}.resource, {feed}.class and {feed}.query",
    Verdict.ASK_LESS: "lower {feed}.limit, or narrow {feed}.query",
}


def refusal(feed: str, what: str, reply: Reply) -> ServiceError:
    """The error for a reply that is not fine: StopFeed where only the operator can help, else RetryLater.

    `what` names the request, such as "Search".
    """
    text = f"{what} was answered with {describe(reply)}"
    hint = _KEYS.get(reply.code) or _BY_VERDICT.get(reply.verdict)
    hint = hint.format(feed=f"feeds.{feed}") if hint else None
    return (StopFeed if stops_feed(reply) else RetryLater)(text, feed=feed, hint=hint)


def describe(reply: Reply) -> str:
    """The code with the server's own words, as much of them as fits a line."""
    return f"{reply.code} {reply.text[:200]}".strip()
