"""Models that listen for words: sounds whose words are known, the graph, and its training.

| file | what |
|---|---|
| `said_words.py` | words and sentences spoken by espeak-ng, by many voices, in noise |
| `wake_graph.py` | mel spectrogram, speech embedding and head in one graph that is fed frame by frame |
| `wake_word.py` | the head's training, and what the graph is judged on |
"""
