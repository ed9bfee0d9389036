"""Models that read texts and answer with more than one row of values: entities, spans, rankings, chosen labels."""
