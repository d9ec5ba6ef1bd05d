"""The settings of the command line, the environment and the configuration file: each is said once, in the group of its
subject, with its name, type, limits, default, variable and help."""

from sensor_client.options.capture import CaptureOptions as CaptureOptions
from sensor_client.options.capture import SentStream as SentStream
from sensor_client.options.capture import StreamKind as StreamKind
from sensor_client.options.capture import Transcode as Transcode
from sensor_client.options.commands import AsJson as AsJson
from sensor_client.options.commands import Authorities as Authorities
from sensor_client.options.commands import BundleFile as BundleFile
from sensor_client.options.commands import Claim as Claim
from sensor_client.options.commands import ExaminationOptions as ExaminationOptions
from sensor_client.options.commands import Images as Images
from sensor_client.options.commands import Out as Out
from sensor_client.options.commands import Quality as Quality
from sensor_client.options.commands import Root as Root
from sensor_client.options.commands import Server as Server
from sensor_client.options.configured import Configured as Configured
from sensor_client.options.configured import ConfiguredWithoutSource as ConfiguredWithoutSource
from sensor_client.options.configured import Origin as Origin
from sensor_client.options.configured import origins as origins
from sensor_client.options.program import Config as Config
from sensor_client.options.program import LogLevel as LogLevel
from sensor_client.options.program import ProgramOptions as ProgramOptions
from sensor_client.options.program import State as State
from sensor_client.options.remote import RemoteOptions as RemoteOptions
from sensor_client.options.sets import CameraOptions as CameraOptions
from sensor_client.options.sets import EverySetting as EverySetting
from sensor_client.options.sets import OnceOptions as OnceOptions
from sensor_client.options.sets import RunOptions as RunOptions
from sensor_client.options.source import SourceOptions as SourceOptions
from sensor_client.options.spooling import SpoolOptions as SpoolOptions
from sensor_client.options.spread import spread as spread
from sensor_client.options.upload import UploadOptions as UploadOptions
