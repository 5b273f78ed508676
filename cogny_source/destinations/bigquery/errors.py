"""Errors of BigQuery and Google's sign-in, as one sentence that says who has to do what."""

from __future__ import annotations

import re

from cogny_source.destinations.target import list_causes
from cogny_source.errors import CognyError, ConfigError, LoadFailed

URL = re.compile(r"^(?:\d{3} )?(?:[A-Z]+ )?https?://\S+: ")
NO_CREDENTIALS = (
    "no credentials for Google: run `gcloud auth application-default login`, or name a service account's key file in"
    " GOOGLE_APPLICATION_CREDENTIALS, or set destination.bigquery.credentials in .dlt/secrets.toml"
)
QUOTA_REASONS = ("quotaExceeded", "rateLimitExceeded", "billingTierLimitExceeded")
# Google's names for the contents of a project.
DATA = re.compile(r"\b(Dataset|Table|Job)\b|bigquery\.(datasets|tables)\.")
SIGN_IN = ("DefaultCredentialsError", "RefreshError", "Unauthorized", "Unauthenticated", "MalformedError")
LINE = ("TransportError", "ConnectionError", "RetryError", "ServerError", "Timeout", "ConnectTimeout")


def explain(error: BaseException, project: str | None, dataset: str) -> CognyError | None:
    """The error to raise for a failure of BigQuery; None if its meaning is unknown.

    Args:
        error: The failure; its causes are searched too.
        project: The project of `--project`; None for the project of the credentials.
        dataset: The dataset.
    """
    for cause in list_causes(error):
        sentence = _explain_refusal(cause, project or "of the credentials", dataset)
        if sentence is not None:
            return sentence
    return None


def _explain_refusal(cause: BaseException, project: str, dataset: str) -> CognyError | None:
    kinds = {kind.__name__ for kind in type(cause).__mro__}
    text, reason = _read(cause)
    if kinds.intersection(("DefaultCredentialsError", "ConfigFieldMissingException")):
        return ConfigError(NO_CREDENTIALS)
    if kinds.intersection(SIGN_IN):
        return ConfigError(f"Google does not accept the credentials ({type(cause).__name__}): create new ones")
    if reason in QUOTA_REASONS or "Quota exceeded" in text or "TooManyRequests" in kinds:
        return LoadFailed(f"a quota of BigQuery is used up: {text}. Nothing is lost: run the same command again later")
    if "Forbidden" in kinds:
        return ConfigError(_explain_forbidden(text, project, dataset))
    if "in different locations" in text or ("Dataset" in text and "was not found in location" in text):
        return ConfigError(
            f"{dataset} and {dataset}_staging must be in one location: leave --location out, or name the location"
            f" where they are ({text})"
        )
    if "NotFound" in kinds and "gs://" in text:
        return ConfigError(f"the bucket of --staging does not exist, or a file in it was deleted: {text}")
    if "NotFound" in kinds and "project" in text.lower() and not DATA.search(text):
        return ConfigError(f"project {project} does not exist: name another with --project ({text})")
    if kinds.intersection(LINE):
        return LoadFailed(
            f"BigQuery does not answer ({type(cause).__name__}). Nothing is lost: run the same command again"
        )
    return None


def _explain_forbidden(text: str, project: str, dataset: str) -> str:
    if "has not been used in project" in text or "it is disabled" in text:
        return f"the BigQuery API is disabled in project {project}: an owner has to enable it ({text})"
    if "VPC Service Controls" in text or "organization's policy" in text:
        return f"the organisation's policy denies this machine access to project {project}: {text}"
    if "billing" in text.lower():
        return f"project {project} has no billing, which BigQuery needs to change rows: {text}"
    if "jobs.create" in text:
        role = f"the role BigQuery Job User (roles/bigquery.jobUser) on project {project}"
    elif "datasets.create" in text:
        role = (
            f"the role BigQuery User (roles/bigquery.user) on project {project}, or somebody has to create the datasets"
            f" {dataset} and {dataset}_staging and grant it BigQuery Data Editor on both"
        )
    elif "storage." in text or "gs://" in text:
        role = "the role Storage Object Admin (roles/storage.objectAdmin) on the bucket of --staging"
    elif DATA.search(text):
        role = f"the role BigQuery Data Editor (roles/bigquery.dataEditor) on {dataset} and {dataset}_staging"
    else:
        return f"Google does not let the account do this: {text}"
    return f"the account lacks {role}: {text}"


def _read(cause: BaseException) -> tuple[str, str | None]:
    """The first line of Google's message without the URL, and the reason code."""
    text = str(getattr(cause, "message", None) or cause).strip() or type(cause).__name__
    errors = getattr(cause, "errors", None) or [{}]
    reason = errors[0].get("reason") if isinstance(errors[0], dict) else None
    return URL.sub("", text.splitlines()[0]), reason
