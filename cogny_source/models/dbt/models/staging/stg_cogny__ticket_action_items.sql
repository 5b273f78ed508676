-- One row for each step of a ticket's action items.
select ticket_id, position, value as action_item
from {{ loaded('tickets__action_items') }} as items
