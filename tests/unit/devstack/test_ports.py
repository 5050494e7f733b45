"""Ports that a stopped server finds free again."""

import socket

from devstack.ports import free_port


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", free_port())):
        pass


def test_no_client_is_given_a_servers_port_for_its_own_end() -> None:
    ephemeral_ports_of_linux_and_macos_begin_at = 32_768
    assert all(free_port() < ephemeral_ports_of_linux_and_macos_begin_at for _ in range(100))
