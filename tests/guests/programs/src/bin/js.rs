//! A JavaScript interpreter: QuickJS, by the crate `rquickjs`.
//!
//! | | |
//! |---|---|
//! | argument 1 | a script of the route's folder, which finds the body as the text `input`; else the body is the script |
//! | stdout | what it prints by `print` and `console.log` |
//! | exit | 0, or 1 if it throws what nobody catches, with that in the log; recursion without end is the trap `stack-overflow`, since QuickJS itself has no limit here |

use std::cell::RefCell;
use std::fs;
use std::process::ExitCode;
use std::rc::Rc;

use programs::{Failure, Request};
use rquickjs::function::Rest;
use rquickjs::{
    CatchResultExt, CaughtError, Coerced, Context, Ctx, Error, FromJs, Function, Object, Runtime,
};

fn main() -> ExitCode {
    programs::run(|request| {
        let runtime = Runtime::new()?;
        let context = Context::full(&runtime)?;
        let printed = Rc::new(RefCell::new(String::new()));
        context.with(|ctx| evaluate(&ctx, request, &printed))?;
        // What promises and asynchronous functions still have to do.
        while runtime.is_job_pending() {
            if let Err(job) = runtime.execute_pending_job() {
                job.0
                    .with(|ctx| thrown(CaughtError::from_error(&ctx, Error::Exception)))?;
            }
        }
        Ok(printed.take().into_bytes())
    })
}

fn evaluate(
    ctx: &Ctx<'_>,
    request: &Request,
    printed: &Rc<RefCell<String>>,
) -> Result<(), Failure> {
    let into = Rc::clone(printed);
    let print = Function::new(ctx.clone(), move |words: Rest<Coerced<String>>| {
        let words: Vec<String> = words.0.into_iter().map(|word| word.0).collect();
        into.borrow_mut().push_str(&(words.join(" ") + "\n"));
    })?;
    let console = Object::new(ctx.clone())?;
    console.set("log", print.clone())?;
    ctx.globals().set("print", print)?;
    ctx.globals().set("console", console)?;
    let script = match request.argument(0) {
        Some(name) => {
            ctx.globals().set("input", request.text()?)?;
            fs::read(format!("/{name}"))?
        }
        None => request.body.clone(),
    };
    ctx.eval::<(), _>(script).catch(ctx).or_else(thrown)
}

/// What was thrown, as a sentence, with where.
fn thrown(error: CaughtError<'_>) -> Result<(), Failure> {
    let CaughtError::Exception(exception) = error else {
        return Err(error.to_string().into());
    };
    let sentence = Coerced::<String>::from_js(exception.ctx(), exception.as_value().clone())?.0;
    let stack = exception.stack().unwrap_or_default();
    Err(format!("{sentence}\n{}", stack.trim_end()).into())
}
