"""What people call things at home: fillers for the templates of `home_intents.py`.

Each kind has two lists, (training, held back). No entry is in both lists of any kinds, so a held-back sentence never
shows a name, a room or another filler that training has seen; `tests/tools/test_home_intents.py` holds that.
"""

from __future__ import annotations

Pool = tuple[tuple[str, ...], tuple[str, ...]]


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


# Keys are Home Assistant's entity domains.
DEVICES: dict[str, Pool] = {
    "light": (
        _words(
            "kitchen light, desk lamp, ceiling light, bedside lamp, reading lamp, hall light, porch light, "
            "christmas tree, chandelier, night light, spotlight, counter light, led strip, wall lamp"
        ),
        _words("standing lamp, mirror light, workbench lamp, fairy lights, lantern, pendant light"),
    ),
    "switch": (
        _words(
            "coffee maker, aquarium pump, heater, printer, washing machine, water pump, router, toaster, "
            "space heater, rice cooker, outlet, power strip"
        ),
        _words("kettle, dehumidifier, pool pump, dishwasher, electric blanket, plug"),
    ),
    "fan": (
        _words("ceiling fan, desk fan, extractor fan, bathroom fan, exhaust fan, box fan"),
        _words("tower fan, attic fan, pedestal fan, ventilator"),
    ),
    "cover": (
        _words(
            "left blind, front curtain, garage door, roller shutter, bay window blind, kitchen blinds, roof window, "
            "driveway gate, sun shade, bedroom curtains"
        ),
        _words("right blind, patio awning, skylight shade, side curtains, carport gate"),
    ),
    "valve": (
        _words("sprinkler valve, main water valve, garden valve, gas valve, irrigation valve"),
        _words("radiator valve, hose valve, water shutoff"),
    ),
    "lock": (
        _words("front door, back door, shed door, main entrance, gun safe, office door"),
        _words("cellar door, side gate, balcony door, smart lock"),
    ),
    "climate": (
        _words("thermostat, radiator, air conditioner, ac, floor heating, boiler, bedroom thermostat"),
        _words("heat pump, towel radiator, central heating, nest"),
    ),
    "media_player": (
        _words("tv, soundbar, kitchen speaker, record player, living room tv, bluetooth speaker, radio, xbox"),
        _words("projector, stereo, shower radio, television, sonos"),
    ),
    "input_boolean": (
        _words("vacation mode, guest mode, party mode, alarm, do not disturb"),
        _words("away mode, holiday mode, quiet mode"),
    ),
    "vacuum": (
        _words("robot vacuum, roomba, vacuum cleaner, robot cleaner, dusty the vacuum"),
        _words("floor robot, vacuum robot, hoover"),
    ),
    "lawn_mower": (
        _words("lawn mower, mowbot, robot mower, garden mower, mower"),
        _words("grass cutter, robo mower, lawn robot"),
    ),
    "scene": (
        _words("movie night, good morning, dinner, bedtime, relax, party, sunset, focus"),
        _words("romantic evening, reading time, good night, cozy, dinner party"),
    ),
    "script": (
        _words("morning routine, leave home routine, water the garden, goodbye sequence, arrival sequence"),
        _words("bedtime routine, wake up sequence, cleaning routine"),
    ),
    "button": (
        _words("doorbell, restart, reset, panic, elevator"),
        _words("reboot, chime, emergency"),
    ),
    "sensor": (
        _words("outdoor temperature, humidity sensor, energy meter, water tank, air quality, solar output"),
        _words("rain gauge, power meter, battery level, carbon dioxide level"),
    ),
    "opening_sensor": (
        _words("kitchen window, mailbox, fridge door, skylight, patio door"),
        _words("letterbox, bathroom window, freezer door"),
    ),
    "occupancy_sensor": (
        _words("motion sensor, parking spot, driveway, smoke detector"),
        _words("presence sensor, doorway, leak detector"),
    ),
    "weather": (
        _words("london, new york, berlin, tokyo, our town, paris"),
        _words("chicago, madrid, sydney, the coast"),
    ),
    "todo": (
        _words("chores, to-do, packing, wish, homework, birthday, reading, holiday"),
        _words("cleaning, errands, work, camping, party planning"),
    ),
    "person": (
        _words("anna, john, maria, david, emma, my mother"),
        _words("peter, fatima, lucas, my wife"),
    ),
}

AREAS: Pool = (
    _words(
        "kitchen, living room, bedroom, bathroom, hallway, garage, office, dining room, nursery, kids room, "
        "entrance, garden, library, playroom"
    ),
    _words("attic, study, guest room, basement, laundry room, terrace, sunroom, workshop"),
)

FLOORS: Pool = (
    _words("first floor, ground floor, upstairs, third floor, upper floor"),
    _words("second floor, top floor, downstairs, lower floor"),
)

# Keys are the names of the templates' wildcard lists.
WILDCARDS: dict[str, Pool] = {
    "message": (
        _words(
            "dinner is ready, the taxi is here, time for bed, we leave in ten minutes, lunch is on the table, "
            "the doorbell rang, breakfast is served, please be quiet, i am home, your phone is ringing, "
            "the pizza has arrived, put on your shoes, guests are coming at eight, grandpa is on the phone, "
            "the laundry is done, someone left the fridge open, homework first, the bath is running, "
            "get ready for school, i need help with the groceries"
        ),
        _words(
            "supper is served, the bus is coming, come down please, the movie starts now, there is cake, "
            "we are going out, tea is ready, the dog needs a walk, wake up everyone, the car is packed, "
            "the plumber is at the door, it has started to snow"
        ),
    ),
    "timer_name": (
        _words("pizza, egg, laundry, tea, workout, oven, bread, chicken, meditation, dryer"),
        _words("pasta, nap, cake, coffee, potato, sauna"),
    ),
    "timer_command": (
        _words(
            "turn off the lights, open the blinds, close the garage door, pause the music, start the robot vacuum, "
            "turn on the heater, lower the volume"
        ),
        _words(
            "turn on the tower fan, lock the cellar door, stop the projector, raise the awning, turn off the stereo"
        ),
    ),
    "shopping_list_item": (
        _words(
            "milk, bread rolls, eggs, apples, coffee beans, butter, tomatoes, olive oil, orange juice, dog food, salt, "
            "yogurt, onions, paper towels"
        ),
        _words("cheese, bananas, toilet paper, rice, shampoo, chocolate, carrots, a bag of flour"),
    ),
    "todo_list_item": (
        _words(
            "call mum, pay the rent, water the plants, fix the tap, mow the grass, buy a present, empty the bins, "
            "send the parcel, wash the windows, feed the cat"
        ),
        _words("book a dentist, clean the car, renew the passport, paint the fence, return the books"),
    ),
    "search_query": (
        _words(
            "the beatles, jazz, abbey road, the daily news, classical piano, taylor swift, christmas songs, "
            "back in black, star wars, country hits"
        ),
        _words("queen, morning playlist, norah jones, the white album, sherlock, summer hits"),
    ),
    "zone": (
        _words("home, school, the gym, the airport, the supermarket"),
        _words("the station, grandma's house, the hospital, church"),
    ),
}
