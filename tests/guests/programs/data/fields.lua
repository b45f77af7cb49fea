-- Closures, coroutines, metatables, patterns, integer and float arithmetic, errors that are caught.
local function primes(most)
  return coroutine.wrap(function()
    for candidate = 2, most do
      local prime = true
      for divisor = 2, math.floor(candidate ^ 0.5) do
        if candidate % divisor == 0 then prime = false break end
      end
      if prime then coroutine.yield(candidate) end
    end
  end)
end
local found = {}
for prime in primes(50) do found[#found + 1] = prime end
print(table.concat(found, " "))

local Vector = {}
Vector.__index = Vector
Vector.__add = function(a, b) return setmetatable({ x = a.x + b.x, y = a.y + b.y }, Vector) end
Vector.__tostring = function(v) return string.format("(%g, %g)", v.x, v.y) end
print(setmetatable({ x = 1, y = 2 }, Vector) + setmetatable({ x = 0.5, y = -2 }, Vector))

local counts = {}
for word in ("the cat and the dog and the bird"):gmatch("%a+") do counts[word] = (counts[word] or 0) + 1 end
local words = {}
for word in pairs(counts) do words[#words + 1] = word end
table.sort(words, function(a, b) return counts[a] > counts[b] or counts[a] == counts[b] and a < b end)
for _, word in ipairs(words) do io.write(word, "=", counts[word], " ") end
print()

print(("%5.2f|%-6s|%05d|%x"):format(math.pi, "left", 42, 255), 7 // 2, 7 / 2, 7 % -3, 1 << 40)
print((("2026-11-22"):gsub("(%d+)-(%d+)-(%d+)", "%3.%2.%1")), ("x"):rep(3, ","))
print(pcall(error, { code = 7 }) == false, select("#", nil, nil), select(2, pcall(error, "caught", 0)))
