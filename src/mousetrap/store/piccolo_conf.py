"""What Piccolo's migrations look for by name: the engine and the application."""

from piccolo.conf.apps import AppRegistry

from mousetrap.store import piccolo_app
from mousetrap.store.engine import ENGINE

DB = ENGINE
APP_REGISTRY = AppRegistry(apps=[piccolo_app.__name__])
