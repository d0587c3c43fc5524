"""docs/clients.md says what the tests of clients say, no more and no less."""

import platform

import pytest

import clients_doc
from clients_settings import CLIENTS


def test_the_document_is_the_one_that_the_tests_make():
    if platform.freedesktop_os_release().get("VERSION_CODENAME") != "bookworm":
        pytest.skip("the document has the versions of Debian 12's rclone and curl")
    assert clients_doc.FILE.read_text() == clients_doc.document(), "run scripts/clients-doc"


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_reads_also_with_verified_signatures(client):
    assert any(works and verified for _, works, verified in clients_doc.claims()[client])
