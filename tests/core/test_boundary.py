"""The outer boundary of a process."""

import os
import subprocess
import sys

import pytest

from kronosforge.core.boundary import guarded


def test_a_pipe_that_is_not_our_output_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    def writes_into_a_closed_pipe() -> int:
        reader, writer = os.pipe()
        os.close(reader)
        try:
            return os.write(writer, b"x")
        finally:
            os.close(writer)

    assert guarded(writes_into_a_closed_pipe) == 4
    assert "Broken pipe" in capfd.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="closes a pipe")
def test_a_reader_that_has_gone_is_no_error() -> None:
    code = "import sys; from kronosforge.core.boundary import guarded; "
    code += "sys.exit(guarded(lambda: print('x' * 10**6, flush=True) or 0))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (0, b"")
