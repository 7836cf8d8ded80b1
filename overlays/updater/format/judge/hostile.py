"""Writes repositories with python-tuf's Metadata API, good and hostile, and scenarios.json. Usage: hostile.py FOLDER

A case is a function; its name begins with the section of the specification's client workflow that it is about.
"""

import json
import os
import sys

import cases_later
import cases_root
import cases_targets
from repository import Scenario


def main():
    base = sys.argv[1]
    scenarios = {}
    for module in (cases_root, cases_later, cases_targets):
        for name, case in vars(module).items():
            if name.startswith("s5_"):
                scenario = Scenario(base, name)
                case(scenario)
                scenarios[name] = scenario.finish()
    with open(os.path.join(base, "scenarios.json"), "w", encoding="utf-8") as file:
        json.dump(scenarios, file)


main()
