"""CapsWriter's servers as dictation meets them: they say how many seconds they heard."""

from __future__ import annotations

from client.emulated import V2_0, V2x


class V2_6(V2x):  # noqa: N801
    """v2.6: one buffer for each connection, whatever the task; it cannot be told to forget."""

    async def final(self, socket, frame, covered):
        await self.reply(socket, frame, covered, (f"{covered:g} s",), is_final=True)


class V1_0(V2_0):  # noqa: N801
    """v1.0: one buffer for all connections, and no sound in the last frame."""

    def __init__(self):
        super().__init__()
        self.held = 0.0

    async def serve(self, socket, frames):
        async for frame, seconds in self.frames_of(socket, frames):
            if "time_frame" not in frame or type(frame["seg_duration"]) is not int:
                await socket.close(1011)
                return
            assert frame["source"] == "mic"
            if frame["is_final"]:
                heard, self.held = self.held, 0.0
                text = f"{heard:g} s"
                await self.reply(socket, frame, heard, is_final=True, text=text)
            else:
                self.held += seconds
                if len(frames) % 5 == 0:
                    await self.reply(socket, frame, self.held)
