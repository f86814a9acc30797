import type { DeliveryDeps } from '../domain/delivery/delivery-deps.ts';
import type { SearchDeps } from '../domain/search/search.ts';
import type { RenderedItems } from './responses/rendered-items.ts';
import type { WebhookTrust } from './webhooks/webhook-sender.ts';

/** Dependencies of the routes. */
export interface RouteDeps extends SearchDeps, DeliveryDeps {
  webhooks: WebhookTrust;
  rendered: RenderedItems;
}
