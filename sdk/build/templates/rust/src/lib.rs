use shallop::{Body, Method, Request, Response};

shallop::serve!(answer);

/// Greets the name in the query, and gives back what is posted.
fn answer(request: Request<Body>) -> Response<Body> {
    if request.method() == Method::POST {
        return Response::new(request.into_body());
    }
    let query = request.uri().query().unwrap_or_default();
    let name = query.split('&').find_map(|pair| pair.strip_prefix("name=")).unwrap_or("world");
    Response::new(format!("hello, {name}\n").into())
}
