"""Persons, couples, cases, safe contact, keys, audit and the message ledger."""

from django.apps import AppConfig


class ClientsConfig(AppConfig):
    name = "clients"
    label = "duet_clients"
    verbose_name = "Duet clients"
