"""A Parquet of another tool."""

from pathlib import Path

import pandas as pd

from whyrank.core.errors import UserError, said_by


def read_parquet(file: Path) -> pd.DataFrame:
    """Raises UserError where it is not there or no Parquet."""
    try:
        return pd.read_parquet(file)
    except FileNotFoundError as error:
        raise UserError(f"{file} does not exist; name a file that is there") from error
    except (ValueError, OSError) as error:
        raise UserError(f"{file} is no Parquet ({said_by(error)}); write it with pandas or pyarrow") from error
