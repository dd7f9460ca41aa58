-- Health of a Performer for Argo CD. In argocd-cm:
--   resource.customizations.health.hourglass.eigenlayer.io_Performer: |
--     (this file)
local health = { status = "Progressing", message = "the operator has not looked at it yet" }
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready = conditions["Ready"]
if ready == nil then
  return health
end

-- What waits for a person is neither broken nor under way.
local waits = { Suspended = true, Fenced = true, AwaitingPromotion = true }
health.message = ready.message
if conditions["Stalled"] ~= nil and conditions["Stalled"].status == "True" then
  health.status = "Degraded"
elseif waits[ready.reason] then
  health.status = "Suspended"
elseif ready.status == "True" then
  health.status = "Healthy"
end
return health
