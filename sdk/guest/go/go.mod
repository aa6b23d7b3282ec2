module shallop

go 1.24
