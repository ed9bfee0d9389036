"""A refused request, in the three forms that SMP has for it.

| who asks | what is wrong | answer |
|---|---|---|
| anybody | something every group knows | `{"rc": n, "rsn": text}` |
| version 2 | something of the group's own | `{"err": {"group": g, "rc": n}}` |
| version 1 | the same | `{"rc": the nearest of the list that all know, "rsn": text}` |

In `err` clients take no further key, but of groups they know themselves: our own group adds `word` and `rsn`.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge_runtime.errors import EdgertError
from firmware_bridge.smp.message import VERSION_1, Rc


class Refused(EdgertError):
    """A request is not done, and why.

    Attributes:
        rc: of the list that every group knows.
        group, group_rc: of the group's own list; -1 if it has no word for it.
        word: the error's word elsewhere in edgert; only our own group tells it.
    """

    code = "smp_refused"

    def __init__(self, rc: Rc, reason: str, group: int = -1, group_rc: int = 1, word: str = "") -> None:
        super().__init__(reason)
        self.rc, self.group, self.group_rc, self.word = rc, group, group_rc, word

    def body(self, version: int) -> Mapping[str, object]:
        """The answer's map for a request of this version."""
        if self.group < 0 or version == VERSION_1:
            return {"rc": int(self.rc), "rsn": str(self)}
        body: dict[str, object] = {"err": {"group": self.group, "rc": self.group_rc}}
        return body | {"word": self.word, "rsn": str(self)} if self.word else body
