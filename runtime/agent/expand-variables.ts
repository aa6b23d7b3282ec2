/**
 * `$(NAME)` becomes the variable's value where there is one and stays where there is none; `$$` is a `$`
 * (k8s.io/kubernetes/third_party/forked/golang/expansion). Worked: `$(A) $$(A) $(NO)` with A=1 is `1 $(A) $(NO)`.
 */
export const expandVariables = (text: string, values: ReadonlyMap<string, string>): string =>
  text.replaceAll(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) =>
    name === undefined ? "$" : (values.get(name) ?? whole),
  );
