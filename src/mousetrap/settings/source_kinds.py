"""The settings of each kind of source: an entry of `sources.toml`."""

from pathlib import PurePath
from typing import Annotated, Any, Final, Literal, get_args

from msgspec import Meta, Struct
from msgspec.structs import fields

from mousetrap.settings.secrets import Secret

# A user and password in the URL would be sent as credentials, and none are ever sent.
Url = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^/?#@\s]+([/?#]\S*)?\Z",
        max_length=2000,
        description="an address of http:// or https://, without user and password",
    ),
]
Property = Annotated[str, Meta(pattern=r'^[^"\\\x00-\x1f]+\Z', max_length=200)]
NameProperty = Annotated[
    Property,
    Meta(
        description="the property of a feature that names its point, or the path of one within it"
        ' such as "address.city"; "id" is the id of the feature when no property is called so'
    ),
]
GroupBy = Annotated[
    Property | None,
    Meta(description="the property or column whose values the points are counted by, or its path"),
]
ValueProperty = Annotated[
    Property | None,
    Meta(description="the numeric property or column that is measured, or its path"),
]
GeometryRule = Annotated[
    Literal["strict", "points-only", "representative"],
    Meta(
        description='"strict", where lines and polygons are refused, "points-only", where they are'
        ' left out and counted, or "representative", where each gives its middle as a point'
    ),
]
MaxBad = Annotated[
    Annotated[int, Meta(ge=0, le=1_000_000)]
    | Annotated[str, Meta(pattern=r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)%\Z")],
    Meta(
        description="how many features with wrong coordinates are left out and counted before the"
        ' batch is refused: a number, or a share of those with a place such as "5%"'
    ),
]
Deadline = Annotated[
    float, Meta(gt=0, le=600, description="the deadline of the whole answer, in seconds")
]
MaxBytes = Annotated[
    int,
    Meta(
        ge=1,
        le=256 * 1024 * 1024,
        description="the maximum bytes of all pages, compressed and decompressed",
    ),
]
MaxPoints = Annotated[
    int, Meta(ge=1, le=1_000_000, description="the maximum number of points on all pages")
]
MaxRedirects = Annotated[
    int, Meta(ge=0, le=10, description="the maximum number of redirects to follow")
]
MaxPages = Annotated[
    int, Meta(ge=1, le=1000, description="the maximum number of pages that a feed may have")
]
Paging = Annotated[
    Literal["auto", "links", "arcgis", "wfs", "first"],
    Meta(
        description="how the next page is found: `auto` follows links, and the counts of ArcGIS and"
        " WFS, and demands as many features as the server counts; `links` believes the links alone;"
        " `arcgis` counts with resultOffset and `wfs` with startIndex; `first` takes the first page"
        " only, and the report says so"
    ),
]
Text = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*\Z", max_length=8000)]
HeaderName = Annotated[
    str,
    Meta(
        # RFC 9110 section 5.1, without those that frame a message, or that are our own.
        pattern=r"^(?!(?i:host|content-length|transfer-encoding|connection|keep-alive|te|trailer"
        r"|upgrade|expect|accept-encoding|range|if-[a-z-]*|proxy-[a-z-]*)\Z)"
        r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z",
        max_length=200,
    ),
]
Headers = Annotated[
    dict[HeaderName, Text | Secret],
    Meta(
        max_length=20,
        description="headers for the origin of its url, as text or, for a secret,"
        ' { env = "NAME" } or { file = "/run/secrets/name" }; none that frames a message or chooses'
        " an encoding or a part",
    ),
]
Params = Annotated[
    dict[Annotated[str, Meta(min_length=1, max_length=200)], Text | Secret],
    Meta(
        max_length=50,
        description="parameters of the query for the origin of its url, as text or, for a secret,"
        ' { env = "NAME" } or { file = "/run/secrets/name" }',
    ),
]
Body = Annotated[
    Annotated[str, Meta(max_length=65536)] | dict[str, Any] | None,
    Meta(
        description="the body of a POST request, which is then sent in place of GET: a table is"
        " sent as JSON, a text as a form unless `headers` has a Content-Type; any value may be"
        " a secret as in `headers`"
    ),
]
MaxInFlight = Annotated[
    int,
    Meta(
        ge=1,
        le=1000,
        description="the maximum number of its jobs that one worker fetches at once: fewer when"
        " their `max_bytes` are more than 6 MiB together, yet one in any case",
    ),
]
MaxQueued = Annotated[
    int,
    Meta(
        ge=1,
        le=10_000_000,
        description="the number of its queued jobs at which refreshes of it are refused",
    ),
]
MinInterval = Annotated[
    float,
    Meta(ge=0, le=86400, description="the minimum interval between two fetches, in seconds"),
]
Coalesce = Annotated[
    bool,
    Meta(description="whether a refresh joins a job of the source that nobody has begun"),
]
AllowPrivate = Annotated[
    bool, Meta(description="whether the server may be at an address that is not public")
]
ProbeInterval = Annotated[
    float,
    Meta(
        gt=0,
        le=3600,
        description="the seconds after which a source that fails is asked again, by one job",
    ),
]
Every = Annotated[
    Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}[smhd]\Z")] | None,
    Meta(description='the period of its schedule, such as "30s", "5m", "2h" or "1d"'),
]
Latitude = Annotated[
    Property | None,
    Meta(
        description="the title of the column of latitudes, found by usual titles when not set; in"
        ' JSON the path of that member of a record, such as "position.lat", "lat" when not set'
    ),
]
Longitude = Annotated[
    Property | None, Meta(description="the same for longitudes, in JSON `lon` when not set")
]
Name = Annotated[
    Property | None, Meta(description="the same for names, in JSON `name` when not set")
]
Identity = Annotated[
    Property | None, Meta(description="the same for the ids by which points are told apart")
]
Records = Annotated[
    Property | None,
    Meta(
        description="the path of the list in the document such as data.stations; without it the"
        " document is the list"
    ),
]
Preset = Annotated[
    Literal["gbfs", "esri"] | None,
    Meta(
        description='"gbfs" for station_information, "esri" for a FeatureSet of ArcGIS; they bring'
        " all paths"
    ),
]
ElementName = Annotated[
    Property | None,
    Meta(description="the child element that names a point: `name`, or `title` in RSS and Atom"),
]
ElementId = Annotated[
    Property | None,
    Meta(description="the child element by which points are told apart, such as `guid`"),
]
PointsRule = Annotated[
    Literal["strict", "points-only"],
    Meta(
        description='"strict", where lines and areas are refused, or "points-only", where they are'
        " left out and counted"
    ),
]
Delimiter = Annotated[
    Literal[",", ";", "\t", "|"] | None,
    Meta(description='one of "," ";" "\\t" "|"; it is found in the header when it is not set'),
]
Encoding = Annotated[
    Literal[
        "utf-8",
        "utf-16",
        "iso-8859-1",
        "iso-8859-2",
        "iso-8859-15",
        "windows-1250",
        "windows-1251",
        "windows-1252",
        "shift_jis",
        "euc_kr",
        "gb18030",
        "big5",
    ],
    Meta(description='the encoding of the text: "utf-8", "utf-16", "windows-1252" or another one'),
]
DecimalComma = Annotated[bool, Meta(description="whether numbers have a comma for a point")]
Grid = Annotated[bool, Meta(description="whether its summaries have the density of the points")]
Changes = Annotated[
    bool,
    Meta(
        description="whether its summaries tell which features are new or gone since the one before"
    ),
]
Count = Annotated[int, Meta(ge=1, le=100_000, description="the number of points in a batch")]


FilePath = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00]+\Z",
        max_length=1000,
        description="the path of a file, or a pattern of paths with * and ?, relative to the folder"
        " of sources.toml",
    ),
]
Format = Annotated[
    Literal["csv", "geojson", "geojsonseq", "json", "kml", "gpx", "georss"] | None,
    Meta(description="the format of the files, if their extension does not tell it"),
]


class SourceSettings(
    Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True
):
    """The settings that every kind has."""

    every: Every = None
    max_in_flight: MaxInFlight = 4
    max_queued: MaxQueued = 1000
    coalesce: Coalesce = False
    min_interval: MinInterval = 0.0
    probe_interval: ProbeInterval = 10.0
    grid: Grid = False
    changes: Changes = False

    @property
    def kind(self) -> str:
        """Return the name of the kind, as written in `sources.toml`."""
        return str(self.__struct_config__.tag)


class DocumentSettings(SourceSettings, frozen=True, kw_only=True):
    """The bounds of a source that reads documents: those of all of them together.

    No wrong coordinate is left out unless it is asked for. A feed that begins to send them has
    changed, and the summary of what is left might mean something else.
    """

    group_by: GroupBy = None
    value_property: ValueProperty = None
    deadline: Deadline = 20.0
    max_bytes: MaxBytes = 8 * 1024 * 1024
    max_points: MaxPoints = 100_000
    max_bad: MaxBad = 0


class HttpSettings(DocumentSettings, frozen=True, kw_only=True):
    """The settings of a source that downloads a document, in pages or not, over HTTP or HTTPS.

    Its bounds are those of all pages together.
    """

    url: Url
    headers: Headers = {}
    params: Params = {}
    body: Body = None
    max_redirects: MaxRedirects = 3
    paging: Paging = "auto"
    max_pages: MaxPages = 20
    min_interval: MinInterval = 1.0
    allow_private: AllowPrivate = False


class CsvSettings(HttpSettings, frozen=True, kw_only=True, tag="csv"):
    """A table of CSV with a header (RFC 4180); usual titles of columns need not be set."""

    lat: Latitude = None
    lon: Longitude = None
    name: Name = None
    id: Identity = None
    delimiter: Delimiter = None
    encoding: Encoding = "utf-8"
    decimal_comma: DecimalComma = False


class FakerSettings(SourceSettings, frozen=True, kw_only=True, tag="faker"):
    """Made-up places; needs no network."""

    count: Count = 100
    max_in_flight: MaxInFlight = 64


class FileSettings(DocumentSettings, frozen=True, kw_only=True, tag="file"):
    """Local files of one format, with the keys of its kind."""

    path: FilePath
    format: Format = None
    lat: Latitude = None
    lon: Longitude = None
    name: Name = None
    id: Identity = None
    delimiter: Delimiter = None
    encoding: Encoding = "utf-8"
    decimal_comma: DecimalComma = False
    preset: Preset = None
    records: Records = None
    name_property: NameProperty = "name"
    geometry: GeometryRule = "strict"

    def __post_init__(self) -> None:
        """Raise ValueError when the format is not known, or has no such key."""
        if self._told() is None:
            raise ValueError(
                "Expected `format`, since the extension of `path` does not tell it: set format to"
                f" one of {', '.join(FORMATS)}"
            )
        keys = {field.name for field in fields(FORMATS[self.reads]) + fields(DocumentSettings)}
        for field in fields(FileSettings):
            if getattr(self, field.name) != field.default and field.name not in {*keys, *OF_FILES}:
                raise ValueError(f"`{field.name}` is no key of the format {self.reads}: remove it")

    @property
    def reads(self) -> str:
        """The format of the files."""
        return str(self._told())

    def _told(self) -> str | None:
        stem = PurePath(self.path.lower().removesuffix(".gz"))
        return self.format or EXTENSIONS.get(stem.suffix)


class GeojsonSettings(HttpSettings, frozen=True, kw_only=True, tag="geojson"):
    """A GeoJSON FeatureCollection of points (RFC 7946).

    A line or a polygon refuses the batch unless `geometry` says otherwise. Features without a place
    are left out in any case (section 3.2).
    """

    name_property: NameProperty = "name"
    geometry: GeometryRule = "strict"


class GeojsonseqSettings(HttpSettings, frozen=True, kw_only=True, tag="geojsonseq"):
    """A sequence of GeoJSON texts (RFC 8142), or GeoJSON in lines (NDJSON)."""

    name_property: NameProperty = "name"
    geometry: GeometryRule = "strict"


class MarkupSettings(HttpSettings, frozen=True, kw_only=True):
    """The settings of a document of XML; its properties are the texts of child elements."""

    name: ElementName = None
    id: ElementId = None
    geometry: PointsRule = "strict"


class KmlSettings(MarkupSettings, frozen=True, kw_only=True, tag="kml"):
    """A KML document with points in its placemarks."""


class GpxSettings(MarkupSettings, frozen=True, kw_only=True, tag="gpx"):
    """A GPX document with waypoints."""


class GeorssSettings(MarkupSettings, frozen=True, kw_only=True, tag="georss"):
    """A feed of RSS or Atom whose items have a point of GeoRSS or of W3C Basic Geo."""


class JsonSettings(HttpSettings, frozen=True, kw_only=True, tag="json"):
    """A JSON document with a list of objects, each of which has a latitude and a longitude."""

    preset: Preset = None
    records: Records = None
    lat: Latitude = None
    lon: Longitude = None
    name: Name = None
    id: Identity = None


AnyKind = (
    CsvSettings
    | FakerSettings
    | FileSettings
    | GeojsonSettings
    | GeojsonseqSettings
    | GeorssSettings
    | GpxSettings
    | JsonSettings
    | KmlSettings
)
KINDS: tuple[type[SourceSettings], ...] = get_args(AnyKind)
FORMATS: dict[str, type[SourceSettings]] = {
    "csv": CsvSettings,
    "geojson": GeojsonSettings,
    "geojsonseq": GeojsonseqSettings,
    "json": JsonSettings,
    "kml": KmlSettings,
    "gpx": GpxSettings,
    "georss": GeorssSettings,
}
"""The kind whose keys a format of files has."""

EXTENSIONS: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".geojson": "geojson",
    ".geojsonl": "geojsonseq",
    ".geojsons": "geojsonseq",
    ".ndjson": "geojsonseq",
    ".kml": "kml",
    ".gpx": "gpx",
    ".georss": "georss",
}
OF_FILES: Final = ("path", "format")
