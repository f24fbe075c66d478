"""The way in: `baco-local`, and `python -m baco_local`. Light, so that a Ctrl-C while the rest loads is no traceback."""

import contextlib
import os
import sys

INTERRUPTED = 130


def run() -> None:
    sys.unraisablehook = interrupt_again
    try:
        from baco_local.cli.main import code_of

        code = code_of(sys.argv[1:])
        import signal

        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: Python would die of it while it ends
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:
                signal.signal(getattr(signal, name), signal.SIG_DFL)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        # Python remembers a KeyboardInterrupt that went through an exec(), as every dataclass does one while it is
        # imported, even where it was caught: at a usual exit it would end itself by the signal, and not with our code.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def interrupt_again(ignored: "sys.UnraisableHookArgs") -> None:
    """A Ctrl-C that came inside a callback where Python drops exceptions (a module's lock, as it is imported; a finaliser) comes
    once more a moment later; else it would be lost, and the command go on."""
    if not isinstance(ignored.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(ignored)
        return
    import _thread
    import signal
    import threading

    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main:  # it ends a wait as well
        threading.Timer(0.01, signal.pthread_kill, (main, signal.SIGINT)).start()
    else:
        threading.Timer(0.01, _thread.interrupt_main).start()


if __name__ == "__main__":
    run()
