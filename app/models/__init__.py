"""The nouns: one file each, with its columns, relations, states and their transition table."""

from app.models.audit import AuditRow
from app.models.customer import Customer
from app.models.fraud import FraudDecision, ListEntry
from app.models.funnel import FunnelStep, MetricRecord, Step
from app.models.history import HistoryEntry
from app.models.journal import Account, JournalEntry, JournalLine
from app.models.mail import Mail
from app.models.offer import Offer, OfferKind, Price, PromotionCode, TaxRate
from app.models.order import Order, OrderState, StockState
from app.models.payment import Payment, PaymentState, RevenueRecord
from app.models.queue import ExecutionTask, QueueState, SyncState, WebhookEvent
from app.models.receipt import Receipt, ReceiptCounter
from app.models.shop import Shop
from app.models.stripe_call import CallState, StripeCall
from app.models.user import Role, User, WebAuthn

__all__ = [
    "Account", "AuditRow", "CallState", "Customer", "ExecutionTask", "FraudDecision", "FunnelStep",
    "HistoryEntry", "JournalEntry", "JournalLine", "ListEntry", "Mail", "MetricRecord", "Offer", "OfferKind",
    "Order", "OrderState", "Payment", "PaymentState", "Price", "PromotionCode", "QueueState", "Receipt",
    "ReceiptCounter", "RevenueRecord", "Role", "Shop", "Step", "StockState", "StripeCall", "SyncState",
    "TaxRate", "User", "WebAuthn", "WebhookEvent",
]  # fmt: skip
