from app.sandbox.stripe.clock import Agenda, Clock, Due


def test_the_clock_is_the_system_s_and_what_it_was_advanced_by() -> None:
    system = [100]
    clock = Clock(lambda: system[0])
    clock.offset = 50
    system[0] += 7

    assert clock.now() == 157


def test_a_held_clock_stands_still_and_then_goes_on() -> None:
    system = [100]
    clock = Clock(lambda: system[0])

    with clock.held(), clock.held(40):
        inner = clock.now()
    with clock.held() as at:
        system[0] += 5
        outer = clock.now()

    assert (inner, at, outer, clock.now()) == (40, 100, 100, 105)


def test_the_agenda_gives_what_is_due_in_order_and_each_once() -> None:
    agenda = Agenda()
    for due, owner in ((Due(5, 1, "renew"), "a"), (Due(5, 0, "cancel"), "b"), (Due(3, 9, "expire"), "c")):
        agenda.note(due, owner)
        agenda.note(due, owner)

    taken = [entry.id for entry in iter(lambda: agenda.take(5), None)]
    agenda.note(Due(3, 9, "expire"), "c")
    again = agenda.take(5)

    assert taken == ["c", "b", "a"]
    assert again is not None
    assert again.id == "c"
    agenda.note(Due(6, 0, "cancel"), "d")
    assert agenda.take(5) is None
