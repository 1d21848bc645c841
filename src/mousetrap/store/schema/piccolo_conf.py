"""The engine and the application, which Piccolo's migrations look for by name.

The engine is set while `migrate` runs.
"""

from piccolo.conf.apps import AppRegistry

from mousetrap.store.engine import UNBOUND
from mousetrap.store.schema import piccolo_app

DB = UNBOUND
APP_REGISTRY = AppRegistry(apps=[piccolo_app.__name__])
