-- One row for each step of a recommendation's action items.
select report_id, recommendation_position, position, value as action_item
from {{ loaded('report_recommendations__action_items') }} as items
