"""MRC files: images, volumes and stacks."""

from cryoflow.files.image_names import join_image_name, split_image_name
from cryoflow.files.mrc.header import MrcHeader, read_header
from cryoflow.files.mrc.read import map_image, map_stack, read_image, read_images, read_stack, read_volume
from cryoflow.files.mrc.write import write_mrc, write_stack

__all__ = [
    "MrcHeader",
    "join_image_name",
    "map_image",
    "map_stack",
    "read_header",
    "read_image",
    "read_images",
    "read_stack",
    "read_volume",
    "split_image_name",
    "write_mrc",
    "write_stack",
]
