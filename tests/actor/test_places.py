"""Where an actor asks: every process of the learner in turn, whether it was given addresses or a name for them all."""

from chorus.actor.places import Place, Places, look_up


def visited(places: Places, times: int) -> list[Place]:
    found = []
    for _ in range(times):
        found.append(places.here)
        places.go_on()
    return found


def test_addresses_are_tried_in_the_order_they_are_given() -> None:
    places = Places("10.0.0.1:1,10.0.0.2:2", "actor")
    assert [place.address for place in visited(places, 5)] == [f"10.0.0.{n}:{n}" for n in (1, 2, 1, 2, 1)]
    assert len(places) == 2


def test_an_address_alone_stays_as_it_is_written() -> None:
    for address in ("127.0.0.1:50051", "localhost:1", "unix:/run/chorus", "[::1]:5", "nobody-knows-this.invalid:1"):
        places = Places(address, "actor")
        assert visited(places, 2) == [Place(address)] * 2


def test_a_name_that_stands_for_several_is_all_of_them_and_its_certificate_is_the_names() -> None:
    hosts = ["10.0.0.1:7", "10.0.0.2:7", "10.0.0.3:7"]
    begun = set()
    for number in range(20):
        places = Places("learner:7", f"actor-{number}", lambda host, port: list(hosts))
        round_trip = visited(places, 6)
        assert {place.address for place in round_trip[:3]} == set(hosts)
        assert round_trip[3:] == round_trip[:3], "the same round again"
        assert {place.name for place in round_trip} == {"learner"}
        begun.add(round_trip[0].address)
    assert begun == set(hosts), "actors spread over the processes"


def test_names_are_looked_up_again_after_every_round() -> None:
    known = [["10.0.0.1:7", "10.0.0.2:7"], ["10.0.0.8:7", "10.0.0.9:7"]]
    places = Places("learner:7", "actor", lambda host, port: known.pop(0))
    assert {place.address for place in visited(places, 2)} == {"10.0.0.1:7", "10.0.0.2:7"}
    assert places.here.address in ("10.0.0.8:7", "10.0.0.9:7")


def test_what_is_no_name_is_not_looked_up() -> None:
    assert look_up("", "1") == look_up("localhost", "1") == look_up("[::1]", "1") == []
    assert look_up("127.0.0.1", "50051") == ["127.0.0.1:50051"]
