from hashlib import md5

import pytest

from service.simulator.digest import Admission, DigestGate


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def hexed(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def nonce_of(challenge: str) -> str:
    return challenge.partition('nonce="')[2].partition('"')[0]


def credentials(nonce: str, *, word: str = "right", nc: str = "00000001", uri: str = "/crea/login") -> str:
    known, request = hexed(f"reader:crea:{word}"), hexed(f"GET:{uri}")
    response = hexed(f"{known}:{nonce}:{nc}:abc:auth:{request}")
    return (
        f'Digest username="reader", realm="crea", nonce="{nonce}", uri="{uri}", '
        f'qop=auth, nc={nc}, cnonce="abc", response="{response}"'
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> DigestGate:
    return DigestGate("crea", "reader", "right", nonce_seconds=60, clock=clock)


def admit(gate: DigestGate, authorization: str | None) -> Admission:
    return gate.admit(authorization, "GET", "/crea/login")


def test_good_credentials_are_admitted(gate: DigestGate) -> None:
    assert admit(gate, credentials(nonce_of(gate.challenge()))) is Admission.ADMITTED


def test_every_challenge_has_a_nonce_of_its_own(gate: DigestGate) -> None:
    assert nonce_of(gate.challenge()) != nonce_of(gate.challenge())


def test_a_nonce_takes_growing_counts(gate: DigestGate) -> None:
    nonce = nonce_of(gate.challenge())
    said = [admit(gate, credentials(nonce, nc=f"{count:08x}")) for count in (1, 2, 0x10)]
    assert said == [Admission.ADMITTED] * 3


def test_a_count_that_comes_again_is_refused(gate: DigestGate) -> None:
    overheard = credentials(nonce_of(gate.challenge()))
    assert [admit(gate, overheard), admit(gate, overheard)] == [Admission.ADMITTED, Admission.REFUSED]


def test_q98_a_nonce_that_is_too_old_is_stale(gate: DigestGate, clock: Clock) -> None:
    nonce = nonce_of(gate.challenge())
    clock.now += 60
    assert admit(gate, credentials(nonce)) is Admission.ADMITTED
    clock.now += 1
    assert admit(gate, credentials(nonce, nc="00000002")) is Admission.STALE
    assert "stale=true" in gate.challenge(stale=True)


def test_q98_nonces_can_be_made_too_old_at_once(gate: DigestGate) -> None:
    nonce = nonce_of(gate.challenge())
    gate.expire_nonces()
    assert admit(gate, credentials(nonce)) is Admission.STALE
    assert admit(gate, credentials(nonce_of(gate.challenge()))) is Admission.ADMITTED


def test_a_nonce_that_was_never_given_out_is_stale_for_who_knows_the_password(gate: DigestGate) -> None:
    assert admit(gate, credentials("made-up")) is Admission.STALE


def test_a_wrong_password_is_refused_and_never_called_stale(gate: DigestGate, clock: Clock) -> None:
    nonce = nonce_of(gate.challenge())
    assert admit(gate, credentials(nonce, word="wrong")) is Admission.REFUSED
    clock.now += 1000
    assert admit(gate, credentials(nonce, word="wrong")) is Admission.REFUSED


def test_credentials_for_another_target_are_refused(gate: DigestGate) -> None:
    said = credentials(nonce_of(gate.challenge()), uri="/crea/search")
    assert admit(gate, said) is Admission.REFUSED


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Digest ", "Basic "),
        ('"reader"', '"writer"'),
        ("qop=auth", "qop=auth-int"),
        ("nc=00000001", "nc=first"),
        ('cnonce="abc", ', ""),
        ('username="reader"', "username"),
    ],
)
def test_what_is_no_digest_answer_is_refused(gate: DigestGate, right: str, wrong: str) -> None:
    good = credentials(nonce_of(gate.challenge()))
    assert right in good
    assert admit(gate, good.replace(right, wrong)) is Admission.REFUSED


@pytest.mark.parametrize("said", [None, "", "Digest", "Digest ,,,"])
def test_no_credentials_at_all_are_refused(gate: DigestGate, said: str | None) -> None:
    assert admit(gate, said) is Admission.REFUSED
