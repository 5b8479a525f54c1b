"""What feeds say and what buckets hold, as hypothesis draws it."""

from hashlib import sha256

from hypothesis import strategies as st

from parsers.records import Image, ListingState, PhotoRef
from service.core.photos import StoredPhoto, StoredSet

IDS = st.sampled_from(["0", "1", "2", "3", "7", "27"])
STAMPS = st.sampled_from([None, "2024-01-01T00:00:00Z", "Tue, 22 Jan 2019 22:17:29 GMT"])


def image(picture: int) -> Image:
    """The facts of picture number so and so."""
    return Image(sha256(b"%d" % picture).hexdigest(), 1000 + picture, "image/jpeg", 640, 480)


images = st.integers(0, 5).map(image)


@st.composite
def refs(draw: st.DrawFn, id_: str | None = None) -> PhotoRef:
    id_ = draw(IDS) if id_ is None else id_
    caption = draw(st.sampled_from([None, "Front", "Küche"]))
    return PhotoRef(id_, int(id_), draw(STAMPS), preferred=draw(st.booleans()), caption=caption)


photo_lists = st.lists(refs(), max_size=6, unique_by=lambda ref: ref.id).map(tuple)

by_sequence = st.builds(
    ListingState, key=st.just("1001"), stamp=STAMPS, photos=photo_lists, complete=st.just(value=True)
)
by_whole_set = st.builds(
    ListingState,
    key=st.just("1001"),
    stamp=STAMPS,
    photos=st.none(),
    expected_count=st.one_of(st.none(), st.integers(0, 6)),
)


@st.composite
def stored_sets(draw: st.DrawFn) -> StoredSet:
    photos = [StoredPhoto(ref, draw(images)) for ref in draw(photo_lists)]
    generation = draw(st.integers(1, 5)) if photos else draw(st.integers(0, 5))
    photos.sort(key=lambda photo: photo.ref.order)
    stamp = draw(STAMPS) if generation else None
    return StoredSet("1001", generation, stamp, tuple(photos))
