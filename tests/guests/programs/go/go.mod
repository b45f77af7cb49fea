module everything

go 1.22
