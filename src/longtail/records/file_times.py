"""Times in the names of image files."""

from __future__ import annotations

import re
from datetime import datetime

from longtail.records.times import TimeError, time_of

# A date and a time with seconds, whatever is between the numbers. Examples:
#   ManFocus_2024_06_01__23_15_00_HDR0   Mothbox
#   20240601231500-snapshot              AMI traps and motion detectors
#   20240601_231500, IMG_20240601_231500 trap cameras and phones
#   PXL_20240601_231500123               phones, with milliseconds
#   2024-06-01 23.15.00                  copies in Dropbox, and "WhatsApp Image 2024-06-01 at ..."
_TIME = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_.]?)(\d\d)\2(\d\d)"
    r"(?:[-_ T]{1,2}| at |(?<=\d{8}))"
    r"(\d\d)([-_.:]?)(\d\d)\6(\d\d)(?:\d{3})?(?!\d)"
)


def time_in_name(name: str) -> datetime | None:
    """The local time in a file's name; None if it has none.

    Raises:
        TimeError: if it is an impossible one, such as on 30 February.

    Examples:
        >>> str(time_in_name("ManFocus_2024_06_01__23_15_00_HDR0.jpg"))
        '2024-06-01 23:15:00'
        >>> time_in_name("DSC_0042.jpg") is None
        True
    """
    found = _TIME.search(name)
    if found is None:
        return None
    year, _, month, day, hour, _, minute, second = found.groups()
    try:
        return time_of((year, month, day, hour, minute, second))
    except ValueError:
        raise TimeError(f"the file's name has the impossible time {found[0]}") from None
