"""Names of Segment's specifications, which most shops use. A name that is nearly one of them is probably a slip."""

from __future__ import annotations

from typing import Final


def _lines(text: str) -> frozenset[str]:
    return frozenset(line.strip() for line in text.strip().splitlines())


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


EVENTS: Final = _lines(
    """
    Account Created
    Account Deleted
    Application Backgrounded
    Application Crashed
    Application Installed
    Application Opened
    Application Uninstalled
    Application Updated
    Cart Shared
    Cart Viewed
    Checkout Started
    Checkout Step Completed
    Checkout Step Viewed
    Coupon Applied
    Coupon Denied
    Coupon Entered
    Coupon Removed
    Deep Link Clicked
    Deep Link Opened
    Email Bounced
    Email Clicked
    Email Delivered
    Email Link Clicked
    Email Marked as Spam
    Email Opened
    Invite Sent
    Order Cancelled
    Order Completed
    Order Refunded
    Order Updated
    Payment Info Entered
    Product Added
    Product Added to Wishlist
    Product Clicked
    Product List Filtered
    Product List Viewed
    Product Removed
    Product Removed from Wishlist
    Product Reviewed
    Product Shared
    Product Viewed
    Products Searched
    Promotion Clicked
    Promotion Viewed
    Push Notification Bounced
    Push Notification Received
    Push Notification Tapped
    Signed In
    Signed Out
    Signed Up
    Trial Ended
    Trial Started
    Unsubscribed
    Wishlist Product Added to Cart
    """
)

SNAKE_TRAITS: Final = _words(
    """
    address age avatar birthday city company country created_at description email first_name gender id language
    last_name locale name phone timezone title username website
    """
)
SNAKE_PROPERTIES: Final = _words(
    """
    affiliation brand cart_id category checkout_id coupon currency discount image_url list_id name order_id
    payment_method position price product_id products promotion_id quantity query rating revenue review_id shipping
    sku step subtotal tax total url value variant wishlist_id
    """
)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


TRAITS: Final = frozenset({*SNAKE_TRAITS, *map(_camel, SNAKE_TRAITS)})
PROPERTIES: Final = frozenset({*SNAKE_PROPERTIES, *map(_camel, SNAKE_PROPERTIES)})
