"""Where a server's state lives, by its settings: the database, the blobs, the online keys."""

from pathlib import Path

from cloud_server.settings import ServerSettings
from cloud_server.storage.blobs import Blobs
from cloud_server.storage.bucket_blobs import Bucket, BucketBlobs
from cloud_server.storage.directory_blobs import DirectoryBlobs
from cloud_server.storage.engine import Engine, open_engine


def engine_of(settings: ServerSettings) -> Engine:
    """The database that the settings name; a statement may take half of what a job may."""
    url = settings.database_url.get_secret_value() if settings.database_url else None
    return open_engine(url, settings.data, settings.database_max_seconds / 2)


def open_blobs(settings: ServerSettings, name: str) -> Blobs:
    """The blobs of one kind: a folder of the data directory, or a folder of the bucket with its copies there."""
    folder = settings.data / name
    if settings.s3_bucket is None:
        return DirectoryBlobs(folder)
    prefix = f"{settings.s3_prefix}{name}/"
    return BucketBlobs(_bucket(settings, settings.s3_bucket).open(), prefix, folder, settings.cache_max_bytes)


def _bucket(settings: ServerSettings, name: str) -> Bucket:
    key_id, key = settings.s3_access_key_id, settings.s3_secret_access_key
    return Bucket(
        name,
        settings.s3_region,
        endpoint=settings.s3_endpoint,
        access_key_id=key_id.get_secret_value() if key_id else None,
        secret_access_key=key.get_secret_value() if key else None,
        virtual_hosted=settings.s3_virtual_hosted,
        allow_http=settings.s3_allow_http,
        timeout_seconds=settings.s3_timeout_seconds,
    )


def keys_of(settings: ServerSettings) -> Path:
    """The folder that `dctwire trust init` made for the server."""
    return settings.keys or settings.data / "keys"
