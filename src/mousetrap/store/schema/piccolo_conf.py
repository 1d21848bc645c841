"""What Piccolo's migrations look for by name: the engine and the application."""

from piccolo.conf.apps import AppRegistry

from mousetrap.store.engine import ENGINE
from mousetrap.store.schema import piccolo_app

DB = ENGINE
APP_REGISTRY = AppRegistry(apps=[piccolo_app.__name__])
