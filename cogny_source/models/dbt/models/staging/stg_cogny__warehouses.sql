-- One row a warehouse, deleted ones too.
select
    id as warehouse_id,
    name,
    type,
    status,
    created_at,
    updated_at,
    deleted_at,
    deleted_at is not null as is_deleted
from {{ loaded('warehouses') }} as warehouses
