module {{name}}

go 1.24

require shallop v0.0.0

replace shallop => ./shallop
