"""A dictation to a server of ours: one round of a session of its own.

A connection for each dictation is open before its first second is spoken, and cannot have died
unnoticed while the computer slept.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from capswriter.client import Busy, Final, Lost, NoServer, Refused, Session, connect
from capswriter.dictation.sending.errors import Broken, Nobody, Unreachable
from capswriter.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from capswriter.client.server import Server
    from capswriter.dictation.sending.dictation import Dictation
    from capswriter.dictation.sending.wish import Wish


async def dictate(
    server: Server, dictation: Dictation, wish: Wish, on_partial: Callable[[str], None]
) -> str:
    """Send a dictation while it is spoken, or after, and give its text.

    Args:
        server: where to.
        dictation: its samples are loaded.
        wish: what is asked of the recogniser.
        on_partial: is told what is known so far.

    Raises:
        Unreachable: the server does not let us in.
        Broken: it let us in, and the connection broke or it had no time.
        Refused: it gives no text, and would not later.
    """
    session = connect(
        server.url,
        token=server.token,
        language=wish.language,
        hotwords=wish.hotwords,
        partials=wish.partials,
        patience=0.0,  # what breaks is sent again from the journal
    )
    try:
        await session.__aenter__()
    except NoServer as error:
        raise Nobody(str(error)) from error
    except Busy as error:
        raise Unreachable(str(error), retry_after=error.retry_after) from error
    except UserError as error:
        raise Unreachable(str(error)) from error
    feeding = asyncio.create_task(_feed(session, dictation))
    try:
        async for event in session:
            if isinstance(event, Final):
                return event.text
            on_partial(event.text)
        raise Broken("the server gave no text")
    except Busy as error:
        raise Broken(str(error), retry_after=error.retry_after) from error
    except (Lost, NoServer) as error:
        raise Broken(str(error)) from error
    finally:
        feeding.cancel()
        with anyio.CancelScope(shield=True):  # a server forgets a round when its connection closes
            await asyncio.wait([feeding])
            await session.__aexit__(None, None, None)


async def _feed(session: Session, dictation: Dictation) -> None:
    with suppress(Lost, NoServer, Busy, Refused):  # whoever reads meets it too
        await session.send(b"")  # the server can prepare itself
        sent = 0
        while audio := await dictation.more(sent):
            await session.send(audio)
            sent += len(audio)
        await session.stop()
