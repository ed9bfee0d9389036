"""Rules: from a sensor's messages to events, by lines of the config (docs/rules.md).

| file | what |
|---|---|
| `rule.py` | one rule as the config says it |
| `checks.py` | whether rules make sense, and cannot feed themselves |
| `filters.py`, `paths.py`, `template.py` | MQTT filters, places in JSON, texts with gaps |
| `condition.py`, `level.py` | does one sample fulfil it; when does something start and end |
| `events.py` | what is published |
| `engine.py` | all rules together: messages and answers in, questions and events out; pure |
| `runner.py` | the engine beside a service: the lock, the clock, the questions as ordinary requests |
"""
