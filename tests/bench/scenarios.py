"""What the generator asks for: one script per figure."""

from collections.abc import Callable
from itertools import count

from tests.support.wire import Api, Script, id_in

AMOUNT = "10.00"
_ESCROW = b'{"amount":"10.00","currency":"USD"}'
_EMPTY = b"{}"


class Scenarios:
    """Scripts over the same users, who take turns, so that load spreads over their accounts."""

    def __init__(self, api: Api, users: list[str]) -> None:
        """The first half of the users buys from the second."""
        self._api = api
        self._users = users
        half = len(users) // 2
        self._orders = [
            f'{{"buyer_id":"{buyer}","seller_id":"{seller}","amount":"{AMOUNT}","currency":"USD","title":"A thing"}}'.encode()
            for buyer, seller in zip(users[:half], users[half:], strict=True)
        ]
        self._turns = count()
        self.ready: list[str] = []
        """Orders that nobody has reserved yet."""

    def named(self, name: str) -> Callable[[], Script]:
        """Return the maker of a scenario's scripts."""
        makers = {
            "create order": self.create_order,
            "reserve": self.reserve,
            "get balance": self.get_balance,
            "get me": self.get_me,
            "create and reserve": self.create_and_reserve,
            "lifecycle": self.lifecycle,
        }
        return makers[name]

    def get_balance(self) -> Script:
        """Read one user's balance."""
        yield self._api.get(f"/users/{self._users[next(self._turns) % len(self._users)]}/balance")

    def get_me(self) -> Script:
        """Ask whose key it is: the gateway answers by itself."""
        yield self._api.get("/me")

    def create_order(self) -> Script:
        """Agree on a sale."""
        yield self._new_order()

    def prepare(self) -> Script:
        """Agree on a sale that is to be reserved later."""
        self.ready.append(id_in((yield self._new_order())))

    def reserve(self) -> Script:
        """Keep the buyer's money for a sale that was prepared."""
        yield self._api.post(f"/orders/{self.ready.pop()}/reserve", _EMPTY)

    def create_and_reserve(self) -> Script:
        """Agree on a sale and keep the buyer's money for it."""
        order_id = id_in((yield self._new_order()))
        yield self._api.post(f"/orders/{order_id}/reserve", _EMPTY)

    def lifecycle(self) -> Script:
        """Take a sale from the agreement to the seller's money."""
        order_id = id_in((yield self._new_order()))
        yield self._api.post(f"/orders/{order_id}/reserve", _EMPTY)
        yield self._api.post(f"/orders/{order_id}/escrow", _ESCROW)
        yield self._api.post(f"/orders/{order_id}/escrow/fund", _EMPTY)
        yield self._api.post(f"/orders/{order_id}/resolution/release", _EMPTY)

    def _new_order(self) -> bytes:
        return self._api.post("/orders", self._orders[next(self._turns) % len(self._orders)])
