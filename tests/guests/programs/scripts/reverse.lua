-- Every line of the body, its words in the opposite order.
for line in io.lines() do
  local words = {}
  for word in line:gmatch("%S+") do table.insert(words, 1, word) end
  print(table.concat(words, " "))
end
