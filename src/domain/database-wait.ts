/** How long a request may wait for the database, for the layer that knows requests. */
export { WaitBudget, withBudget } from '../db/connections/wait-budget.ts';
