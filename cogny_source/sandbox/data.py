"""The vocabulary of the API and the texts of the made-up rows."""

from __future__ import annotations

from random import Random
from typing import Any

CATEGORIES = (
    "conversion_optimization",
    "funnel_optimization",
    "user_engagement",
    "revenue_growth",
    "retention",
    "acquisition",
    "technical_performance",
    "data_quality",
)
TICKET_STATUSES = ("open", "in_progress", "completed", "dismissed")
PRIORITIES = ("low", "medium", "high", "critical")
DISMISSALS = ("not_applicable", "already_implemented", "insufficient_impact", "resource_constraints", "other")
REPORT_STATUSES = ("queued", "processing", "completed", "failed", "cancelled")
EFFORTS = ("low", "medium", "high", None)
WAREHOUSE_TYPES = ("bigquery", "snowflake", "redshift", "databricks", "postgresql")
WAREHOUSE_STATUSES = ("connected", "syncing", "error", "disconnected")

ASSIGNEES = (
    "ana.kovač@example.com",
    "li.wei@example.com",
    "o'brien@example.com",
    "søren@example.dk",
    "growth-team@example.com",
    "محمد@example.com",
    None,
    None,
)

_TITLES: dict[str, tuple[str, ...]] = {
    "conversion_optimization": ("Shorten the checkout form for {}", "Show prices before sign-up to {}"),
    "funnel_optimization": ("Drop-off between cart and payment among {}", "Skip step 3 of onboarding for {}"),
    "user_engagement": ("Weekly digest is ignored by {}", 'Retire the "tip of the day" for {}'),
    "revenue_growth": ("Offer the annual plan to {}", "Raise the free-shipping limit to 50 € for {}"),
    "retention": ("Win back {}", "Warn of failed cards earlier: {}"),
    "acquisition": ("Pause the brand campaign aimed at {}", "Move budget from display to search for {}"),
    "technical_performance": ("LCP above 4 s on mobile for {}", "Timeouts of /api/v2/cart met by {}"),
    "data_quality": ("Duplicate purchase events of {}", "utm_source is NULL for 18% of {}"),
}
_SEGMENTS = (
    "first-time visitors",
    "returning customers",
    "mobile Safari users",
    "trial accounts",
    "customers in DACH",
    "buyers who paid by invoice",
    "the EU-West cohort",
    "users acquired in Q3",
)
_FOREIGN_TITLES = (
    "Kündigungsgründe für Größenwechsel auswerten",
    "Añadir pago con un clic para clientes de España",
    "カート放棄率を下げるための再通知メール",
    "تحسين صفحة الدفع للهواتف المحمولة",
    "🚀 Ship it: 👩‍👩‍👧 family plan → +12% 💶",
    "Réduire l'abandon du panier à l'étape « livraison »",
    "",
)
_DESCRIPTIONS = (
    "Sessions that reach the second step convert at half the rate of last quarter. The change began with release 4.12.",
    'Visitors read "only 2 left" as pressure.\nRemove the badge; measure for two weeks.',
    "The join on C:\\exports\\orders.csv loses rows whose path holds a backslash \\\\ or a tab\t.",
    "Line one.\r\nLine two, with a comma; a semicolon; and a \"quoted 'inner' part\".",
    "Die Absprungrate stieg auf 61 %, besonders bei Straßen mit ß und Umlauten (äöü).",
    "La tasa de conversión cayó un 3,4 % después del cambio de diseño. ¿Revertimos?",
    "初回購入者の38%が配送料の表示ページで離脱しています。\n表示を前の画面に移してください。",
    "انخفض معدل الاحتفاظ بنسبة 7% بعد تغيير الأسعار.",
    "A separator that is no newline:\u2028next part. A combining accent: e\u0301. A flag: 🇩🇪.",
    '{"looks": "like json"} but is text; so is NULL, and so is \'; DROP TABLE tickets; --',
    "",
)
_ACTIONS = (
    "Run an A/B test with 50% of the traffic",
    "Add an index on events(user_id, occurred_at)",
    "Ask support for the ten most recent complaints",
    'Rename the button to "Continue"',
    "Prüfen, ob das Ereignis doppelt feuert",
    "決済画面の計測を追加する",
    "Revisar la segmentación de la campaña",
    "Backfill the column, then\nre-run the model",
    "Delete C:\\temp\\old_export",
)
_NOTES = (
    "Agreed in the weekly; owner to follow.",
    "Waiting for legal 🕰️",
    "See thread.\n- cost?\n- date?",
    'Customer said: "do not touch it"',
    "Zurückgestellt bis Q2",
    None,
    None,
    None,
)
_METRICS = ("conversion_rate", "monthly_revenue", "churn_rate", "activation_rate", "cost_per_acquisition", "lcp_ms")
_TABLES = ("events", "orders", "ga4.events_20250203", "crm.contacts", "payments")
_PROMPTS = (
    "Why did sign-ups fall last week?",
    "Compare paid and organic acquisition by country, and say where a euro more would bring most.",
    "Welche Kampagnen bringen die treuesten Kunden?",
    "¿Qué pasos del embudo pierden más usuarios?",
    "解約率が高いユーザーの特徴を教えてください。",
    "ما هي أفضل القنوات لجذب العملاء؟",
    "Explain this query:\nSELECT \"user\", count(*)\nFROM events WHERE path LIKE '%\\_%' GROUP BY 1",
    "📈?",
)
_FINDINGS = (
    "Mobile converts at 1.2%, desktop at 3.9%.",
    "Three campaigns bring 71% of the revenue.",
    "Die Rückkehrquote sinkt nach Tag 7.",
    "Ninety percent of errors come from one browser version.",
    "新規ユーザーの継続率は改善しています。",
)


def pick(rng: Random, choices: tuple[Any, ...]) -> Any:
    """Draw one of the choices; faster than `Random.choice` in the loop that makes every row."""
    return choices[int(rng.random() * len(choices))]


def ticket_title(rng: Random, category: str) -> str:
    """A title, three times in four in English and of the category."""
    if rng.random() < 0.25:
        return str(pick(rng, _FOREIGN_TITLES))
    return str(pick(rng, _TITLES[category])).format(pick(rng, _SEGMENTS))


def description(rng: Random) -> str:
    """A paragraph or two; now and then an empty text."""
    first, second = pick(rng, _DESCRIPTIONS), pick(rng, _DESCRIPTIONS)
    return f"{first}\n\n{second}" if rng.random() < 0.5 else str(first)


def action_items(rng: Random) -> list[str]:
    """Between zero and four things to do."""
    return [pick(rng, _ACTIONS) for _ in range(int(rng.random() * 5))]


def note(rng: Random) -> str | None:
    """A remark, or none."""
    remark: str | None = pick(rng, _NOTES)
    return remark


def impact(rng: Random) -> dict[str, Any]:
    """An estimated impact, as the reference shows it."""
    current = round(rng.random() * 1000, 2)
    gain = round(rng.random() * 40, 1)
    return {
        "metric": pick(rng, _METRICS),
        "current_value": current if rng.random() < 0.9 else int(current),
        "projected_value": round(current * (1 + gain / 100), 4),
        "increase_percentage": gain,
        "confidence": round(rng.random(), 3),
    }


def supporting_data(rng: Random) -> dict[str, Any]:
    """Free-form evidence: empty, flat or nested."""
    shape = rng.random()
    if shape < 0.15:
        return {}
    size = int(rng.random() * 1e6)
    evidence: dict[str, Any] = {"sample_size": size, "tables": [pick(rng, _TABLES)], "p": rng.random()}
    if shape < 0.6:
        return evidence
    big = (1 << 53) + 1 + int(rng.random() * (1 << 61))
    return evidence | {
        "user_id": big,
        "checked": None,
        "größe": {"北": [1, 2.5, None, [True, []]], "📦": {}},
        "series": [[round(rng.random(), 6), index] for index in range(3)],
        "sql": 'SELECT "a\\b" FROM t -- ok?\nLIMIT 1',
    }


def report_metadata(rng: Random) -> dict[str, Any]:
    """Free-form metadata of a report."""
    if rng.random() < 0.3:
        return {}
    return {
        "requested_by": pick(rng, ASSIGNEES),
        "run": (1 << 53) + 1 + int(rng.random() * 1000),
        "cost_usd": round(rng.random() * 5, 4),
        "tags": [pick(rng, _TABLES), "über", None],
        "options": {"language": pick(rng, ("en", "de", "ja")), "nested": {"深い": [{"x": -0.0}, []]}},
    }


def prompt(rng: Random) -> str:
    """What a report was asked; one in fifty is as long as the API allows (2000 characters)."""
    text = str(pick(rng, _PROMPTS))
    return (text + " ") * (2000 // (len(text) + 1)) if rng.random() < 0.02 else text


def findings(rng: Random) -> list[str]:
    """Between zero and three key findings."""
    return [pick(rng, _FINDINGS) for _ in range(int(rng.random() * 4))]


def segment(rng: Random) -> str:
    """A group of users."""
    return str(pick(rng, _SEGMENTS))
